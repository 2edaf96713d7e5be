// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/generation_request.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "apps/engine/digest.h"
#include "apps/openai/chat_prompt.h"
#include "fmt/format.h"

namespace tenon::apps::openai {
namespace {

int64_t Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// What tenants and salts share no KV blocks by: 64 bits of SHA-256 over both, each with its length.
uint64_t CacheSalt(const std::string& tenant, const std::string& salt) {
  if (tenant.empty() && salt.empty()) return 0;
  return First64Bits(Sha256Of(fmt::format("{}:{}{}:{}", tenant.size(), tenant, salt.size(), salt)));
}

// How long the output may be; a refusal in `fields` where the prompt leaves no room.
int32_t OutputTokens(const GenerationFields& generation, const EngineFacts& facts,
                     size_t prompt_tokens, std::string_view prompt_field, Fields& fields) {
  const int64_t context = ContextOf(facts);
  const auto prompt = static_cast<int64_t>(prompt_tokens);
  const int64_t room = context - prompt;
  const int64_t asked =
      generation.max_tokens ? *generation.max_tokens : std::max(1, generation.min_tokens);
  if (asked > room) {
    fields.Refuse(
        room < 1                ? prompt_field
        : generation.max_tokens ? std::string_view(generation.max_tokens_field)
                                : std::string_view("min_tokens"),
        fmt::format("This model's maximum context length is {} tokens. However, you requested {} "
                    "tokens ({} in the {}, {} in the completion). Please reduce the length of the "
                    "{} or completion.",
                    context, prompt + asked, prompt, prompt_field, asked, prompt_field),
        "context_length_exceeded");
  }
  return static_cast<int32_t>(generation.max_tokens ? asked : std::max<int64_t>(1, room));
}

// One prompt's request to the engine.
GenerateRequest MakeRequest(const GenerationPlan& plan, const NamedModel& named,
                            const Caller& caller, std::vector<int32_t> prompt) {
  const GenerationFields& fields = plan.fields;
  GenerateRequest request;
  request.id = caller.request_id;
  request.prompt = std::move(prompt);
  request.sampling = fields.sampling;
  // Prompts that look alike must not answer alike, unless the request said which seed.
  if (!fields.seeded) {
    request.sampling.seed += plan.prompts.size() * static_cast<size_t>(fields.best_of);
  }
  request.bias = fields.bias;
  request.stop_tokens = fields.stop_token_ids;
  if (!fields.ignore_eos) {
    const std::vector<int32_t>& ends = named.model->text->end_of_generation;
    request.stop_tokens.insert(request.stop_tokens.end(), ends.begin(), ends.end());
  }
  request.min_tokens = fields.min_tokens;
  request.logprobs = fields.best_of > fields.n ? std::max(fields.logprobs, 0) : fields.logprobs;
  request.n = fields.best_of;
  request.priority = fields.priority;
  request.adapter = named.adapter;
  request.sticky = fields.user.empty() ? caller.request_id : fields.user;
  request.cache_salt = CacheSalt(caller.tenant, fields.cache_salt);
  return request;
}

std::optional<NamedModel> Begin(Fields& fields, const RequestContext& context, bool chat,
                                GenerationPlan* plan, ApiError* error) {
  plan->fields = ReadGeneration(fields, context.caps);
  if (chat) {
    ReadChatOnly(fields, context.caps, &plan->fields);
  } else {
    ReadCompletionOnly(fields, context.caps, &plan->fields);
  }
  if (!fields.ok()) {
    *error = fields.error();
    return std::nullopt;
  }
  auto named =
      FindModel(context, plan->fields.model, plan->fields.user, ModelUse::kGenerate, error);
  if (!named) return std::nullopt;
  CheckIds(plan->fields, named->model->text->tokenizer.vocab_size(), fields);
  plan->model = named->model;
  plan->head.chat = chat;
  plan->head.id = (chat ? "chatcmpl-" : "cmpl-") + context.caller.request_id;
  plan->head.created = Now();
  plan->head.model = NameOf(*named);
  plan->head.include_usage = plan->fields.include_usage;
  return named;
}

void AddPrompt(const RequestContext& context, const NamedModel& named, std::vector<int32_t> ids,
               std::string user_text, bool echo, Fields& fields, GenerationPlan* plan) {
  const std::string_view field = plan->head.chat ? "messages" : "prompt";
  if (!fields.ok()) return;
  if (ids.empty()) return fields.Refuse(field, fmt::format("{} has no tokens", field));
  const int32_t most = OutputTokens(plan->fields, named.model->facts, ids.size(), field, fields);
  GenerateRequest request = MakeRequest(*plan, named, context.caller, std::move(ids));
  request.max_tokens = most;
  request.user_text = user_text;
  plan->prompts.push_back({std::move(request), echo ? std::move(user_text) : std::string()});
}

// `prompt` of completions, whatever its form.
class PromptReader {
 public:
  PromptReader(const RequestContext& context, const NamedModel& named, bool echo, Fields& fields,
               GenerationPlan* plan)
      : context_(context), named_(named), echo_(echo), fields_(fields), plan_(plan) {}

  void Read(const JsonValue& prompt) {
    if (prompt.AsString() != nullptr) return Text(*prompt.AsString());
    const JsonValue::Array* array = prompt.AsArray();
    if (array == nullptr) return Refuse(prompt);
    if (array->empty()) return fields_.Refuse("prompt", "prompt is empty");
    if (array->front().AsInt() != nullptr) return Ids(*array);
    const size_t most = static_cast<size_t>(context_.caps.prompts / plan_->fields.best_of);
    if (array->size() > most) {
      return fields_.Refuse("prompt", fmt::format("prompt has {} prompts of {} choices; at most {} "
                                                  "prompts allowed",
                                                  array->size(), plan_->fields.best_of, most));
    }
    for (const JsonValue& one : *array) {
      if (one.AsString() != nullptr) {
        Text(*one.AsString());
      } else if (one.AsArray() != nullptr && !one.AsArray()->empty()) {
        Ids(*one.AsArray());
      } else {
        Refuse(one);
      }
      if (!fields_.ok()) return;
    }
  }

 private:
  void Refuse(const JsonValue& seen) {
    fields_.RefuseKind("prompt", seen, "a string, token ids, or an array of either");
  }
  void Text(const std::string& text) {
    // Who writes the whole prompt also writes its turns.
    auto ids =
        named_.model->text->tokenizer.Encode(text, {.parse_special = true, .add_special = true});
    if (!ids.ok()) return fields_.Refuse("prompt", ids.error().message);
    AddPrompt(context_, named_, *std::move(ids), text, echo_, fields_, plan_);
  }
  void Ids(const JsonValue::Array& array) {
    const text::Tokenizer& tokenizer = named_.model->text->tokenizer;
    std::vector<int32_t> ids;
    if (!ReadIds(array, "prompt", tokenizer.vocab_size(), fields_, &ids)) return;
    std::string text = echo_ ? tokenizer.Decode(ids) : std::string();
    AddPrompt(context_, named_, std::move(ids), std::move(text), echo_, fields_, plan_);
  }

  const RequestContext& context_;
  const NamedModel& named_;
  const bool echo_;
  Fields& fields_;
  GenerationPlan* plan_;
};

}  // namespace

std::optional<GenerationPlan> PlanChat(Fields& fields, const RequestContext& context,
                                       ApiError* error) {
  GenerationPlan plan;
  auto named = Begin(fields, context, true, &plan, error);
  if (!named) return std::nullopt;
  auto ids = ReadChatPrompt(fields, *named->model->text, true, context.caps);
  AddPrompt(context, *named, std::move(ids), fields.ok() ? LastUserText(fields) : std::string(),
            false, fields, &plan);
  if (fields.ok()) return plan;
  *error = fields.error();
  return std::nullopt;
}

std::optional<GenerationPlan> PlanCompletion(Fields& fields, const RequestContext& context,
                                             ApiError* error) {
  GenerationPlan plan;
  auto named = Begin(fields, context, false, &plan, error);
  if (!named) return std::nullopt;
  const bool echo = fields.Flag("echo").value_or(false);
  if (echo && plan.fields.logprobs >= 0) {
    fields.Refuse("echo",
                  "echo with logprobs would need those of the prompt, which are not served; `tenon "
                  "score` tells them");
  }
  const JsonValue* prompt = fields.Any("prompt");
  if (prompt == nullptr) fields.Refuse("prompt", "prompt is missing");
  if (prompt != nullptr && fields.ok()) {
    PromptReader(context, *named, echo, fields, &plan).Read(*prompt);
  }
  if (fields.ok()) return plan;
  *error = fields.error();
  return std::nullopt;
}

}  // namespace tenon::apps::openai
