// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/api.h"

#include <mutex>
#include <set>
#include <utility>

#include "apps/openai/call_end.h"
#include "apps/openai/embedding_call.h"
#include "apps/openai/generation_request.h"
#include "apps/openai/json_text.h"
#include "apps/openai/token_requests.h"

namespace tenon::apps::openai {
namespace {

// Told to the observer once each; beyond these none is, so that clients cannot fill memory.
constexpr size_t kMostUnknown = 256;
constexpr size_t kUnknownBytes = 64;

class ServedApi final : public Api {
 public:
  ServedApi(const ModelDirectory& models, CallObserver& observer, const AdmissionLimits& admission,
            const RequestCaps& caps)
      : models_(models),
        observer_(observer),
        admission_(std::make_shared<Admission>(admission)),
        caps_(caps) {}

  std::shared_ptr<Call> Start(Endpoint endpoint, std::string_view body, const Caller& caller,
                              std::shared_ptr<ReplySink> sink) override;
  std::string ModelsJson() const override;
  int64_t Running() const override { return admission_->Running(); }
  int64_t Waiting() const override { return admission_->Waiting(); }

 private:
  std::shared_ptr<Call> Generate(OpenCall call, const JsonValue::Object& body,
                                 const Caller& caller);
  std::shared_ptr<Call> Embed(OpenCall call, const JsonValue::Object& body, const Caller& caller);
  // Tokens of a text, or the text of tokens.
  std::shared_ptr<Call> Translate(OpenCall call, const JsonValue::Object& body,
                                  const Caller& caller);
  void HearUnknown(const Fields& fields);

  const ModelDirectory& models_;
  CallObserver& observer_;
  const std::shared_ptr<Admission> admission_;
  const RequestCaps caps_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> unknown_;
};

std::shared_ptr<Call> Refuse(OpenCall call, const ApiError& error) {
  call.Fail(error);
  return EndedCall();
}

std::shared_ptr<Call> ServedApi::Start(Endpoint endpoint, std::string_view body,
                                       const Caller& caller, std::shared_ptr<ReplySink> sink) {
  OpenCall call(admission_->Enter(), std::move(sink), observer_, endpoint, caller);
  if (!call.admitted()) return Refuse(std::move(call), admission_->Refusal());
  JsonValue json;
  ApiError error;
  if (!ParseBody(body, caps_.json_depth, &json, &error)) return Refuse(std::move(call), error);
  const JsonValue::Object* object = json.AsObject();
  if (object == nullptr) {
    error.param = "body";
    error.message = "The request's body is " + json.Kind() + "; an object wanted";
    return Refuse(std::move(call), error);
  }
  switch (endpoint) {
    case Endpoint::kChat:
    case Endpoint::kCompletions:
      return Generate(std::move(call), *object, caller);
    case Endpoint::kEmbeddings:
      return Embed(std::move(call), *object, caller);
    case Endpoint::kTokenize:
    case Endpoint::kDetokenize:
      break;
  }
  return Translate(std::move(call), *object, caller);
}

std::shared_ptr<Call> ServedApi::Generate(OpenCall call, const JsonValue::Object& body,
                                          const Caller& caller) {
  Fields fields(body);
  ApiError error;
  const RequestContext context{models_, caps_, caller};
  auto plan = call.record().endpoint == Endpoint::kChat ? PlanChat(fields, context, &error)
                                                        : PlanCompletion(fields, context, &error);
  HearUnknown(fields);
  if (!plan) return Refuse(std::move(call), error);
  call.record().model = plan->head.model;
  int64_t tokens = 0;
  for (const PlannedPrompt& prompt : plan->prompts) {
    tokens += static_cast<int64_t>(prompt.request.prompt.size());
  }
  call.record().prompt_tokens = tokens;
  if (!call.ticket().Hold(tokens)) return Refuse(std::move(call), admission_->Refusal());
  return StartGeneration(*std::move(plan), std::move(call));
}

std::shared_ptr<Call> ServedApi::Embed(OpenCall call, const JsonValue::Object& body,
                                       const Caller& caller) {
  Fields fields(body);
  ApiError error;
  auto plan = PlanEmbedding(fields, {models_, caps_, caller}, &error);
  HearUnknown(fields);
  if (!plan) return Refuse(std::move(call), error);
  call.record().model = NameOf(plan->model);
  call.record().prompt_tokens = plan->tokens;
  if (!call.ticket().Hold(plan->tokens)) return Refuse(std::move(call), admission_->Refusal());
  return StartEmbedding(*std::move(plan), std::move(call));
}

std::shared_ptr<Call> ServedApi::Translate(OpenCall call, const JsonValue::Object& body,
                                           const Caller& caller) {
  Fields fields(body);
  ApiError error;
  const RequestContext context{models_, caps_, caller};
  auto json = call.record().endpoint == Endpoint::kTokenize ? Tokenize(fields, context, &error)
                                                            : Detokenize(fields, context, &error);
  HearUnknown(fields);
  if (!json) return Refuse(std::move(call), error);
  call.Whole(*std::move(json));
  return EndedCall();
}

void ServedApi::HearUnknown(const Fields& fields) {
  fields.ForUnknown([&](std::string_view name) {
    name = FirstCharacters(name, kUnknownBytes);
    {
      const std::lock_guard lock(mutex_);
      if (unknown_.size() >= kMostUnknown || unknown_.contains(name)) return;
      unknown_.emplace(name);
    }
    observer_.OnUnknownField(name);
  });
}

std::string ServedApi::ModelsJson() const {
  std::string out = "{\"object\":\"list\",\"data\":[";
  bool first = true;
  const auto append = [&](const ServedModel& model, const std::string& id) {
    if (!std::exchange(first, false)) out += ',';
    out += "{\"id\":";
    AppendQuoted(id, &out);
    out += ",\"object\":\"model\",\"created\":";
    AppendNumber(model.created, &out);
    out += ",\"owned_by\":\"tenon\",\"root\":";
    AppendQuoted(model.name, &out);
    out += ",\"parent\":";
    if (id == model.name) {
      out += "null";
    } else {
      AppendQuoted(model.name, &out);
    }
    out += ",\"max_model_len\":";
    AppendNumber(model.facts.generates ? model.facts.max_context : model.facts.embedding_max_tokens,
                 &out);
    out += '}';
  };
  for (const auto& model : models_.Models()) {
    append(*model, model->name);
    for (const std::string& adapter : model->facts.adapters) append(*model, adapter);
  }
  return out += "]}";
}

}  // namespace

std::unique_ptr<Api> MakeApi(const ModelDirectory& models, CallObserver& observer,
                             const AdmissionLimits& admission, const RequestCaps& caps) {
  return std::make_unique<ServedApi>(models, observer, admission, caps);
}

}  // namespace tenon::apps::openai
