// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/embedding_call.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>
#include <span>
#include <utility>

#include "apps/assemble/cut_text.h"
#include "apps/openai/generation_fields.h"
#include "apps/openai/json_text.h"
#include "fmt/format.h"

namespace tenon::apps::openai {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are sent as they lie");

std::string Base64(std::span<const float> vector) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned char> bytes(vector.size_bytes());
  std::memcpy(bytes.data(), vector.data(), bytes.size());
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < left ? bytes[at + i] : 0u);
    for (size_t i = 0; i < 4; ++i) {
      out += i <= left ? kLetters[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return out;
}

void AppendVector(std::span<const float> vector, bool base64, std::string* out) {
  if (base64) {
    *out += '"' + Base64(vector) + '"';
    return;
  }
  *out += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) *out += ',';
    AppendFloat(vector[i], out);
  }
  *out += ']';
}

std::string ReplyJson(const EmbeddingPlan& plan, const std::vector<std::vector<float>>& vectors) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"object\":\"embedding\",\"index\":";
    AppendNumber(static_cast<int64_t>(i), &out);
    out += ",\"embedding\":";
    AppendVector(vectors[i], plan.base64, &out);
    out += '}';
  }
  out += "],\"model\":";
  AppendQuoted(NameOf(plan.model), &out);
  out += ",\"usage\":{\"prompt_tokens\":";
  AppendNumber(plan.tokens, &out);
  out += ",\"total_tokens\":";
  AppendNumber(plan.tokens, &out);
  return out += "}}";
}

class EmbeddingCall final : public Call, public std::enable_shared_from_this<EmbeddingCall> {
 public:
  EmbeddingCall(EmbeddingPlan plan, OpenCall call)
      : plan_(std::move(plan)), call_(std::move(call)) {}

  void Begin() {
    auto texts = std::exchange(plan_.texts, {});
    plan_.model.model->engine->Embed(
        std::move(texts),
        [self = shared_from_this()](const Result<std::vector<std::vector<float>>>& vectors) {
          self->Answer(vectors);
        });
  }

  // The engine's work is one step, which is not broken off.
  void Cancel() override {
    const std::lock_guard lock(mutex_);
    if (!call_.ended()) call_.Abort();
  }

 private:
  void Answer(const Result<std::vector<std::vector<float>>>& vectors) {
    std::string json = vectors.ok() ? ReplyJson(plan_, *vectors) : std::string();
    const std::lock_guard lock(mutex_);
    if (call_.ended()) return;
    call_.ticket().Begin();
    if (!vectors.ok())
      return call_.Fail(EngineError(vectors.error().status, vectors.error().message));
    call_.Whole(std::move(json));
  }

  EmbeddingPlan plan_;
  std::recursive_mutex mutex_;
  OpenCall call_;
};

// `input`, whatever its form.
class InputReader {
 public:
  InputReader(const RequestContext& context, Fields& fields, EmbeddingPlan* plan)
      : context_(context), fields_(fields), plan_(plan) {}

  void Read(const JsonValue& input) {
    const JsonValue::Array* array = input.AsArray();
    if (input.AsString() != nullptr) return One(input);
    if (array == nullptr) return Refuse(input);
    if (array->empty()) return fields_.Refuse("input", "input is empty");
    if (array->front().AsInt() != nullptr) return One(input);
    if (array->size() > static_cast<size_t>(context_.caps.prompts)) {
      return fields_.Refuse("input", fmt::format("input has {} texts; at most {} allowed",
                                                 array->size(), context_.caps.prompts));
    }
    for (const JsonValue& one : *array) {
      One(one);
      if (!fields_.ok()) return;
    }
  }

 private:
  const EngineFacts& facts() const { return plan_->model.model->facts; }
  const text::Tokenizer& tokenizer() const { return plan_->model.model->text->tokenizer; }

  void Refuse(const JsonValue& seen) {
    fields_.RefuseKind("input", seen, "a string, token ids, or an array of either");
  }
  void One(const JsonValue& one) {
    std::vector<int32_t> ids;
    if (const std::string* text = one.AsString()) {
      ids = Text(*text);
    } else if (one.AsArray() != nullptr) {
      ReadIds(*one.AsArray(), "input", tokenizer().vocab_size(), fields_, &ids);
    } else {
      Refuse(one);
    }
    if (!fields_.ok()) return;
    if (ids.empty()) return fields_.Refuse("input", "input has a text without tokens");
    if (ids.size() > static_cast<size_t>(facts().embedding_max_tokens)) {
      return fields_.Refuse(
          "input",
          fmt::format("This model's maximum context length is {} tokens. However, input has a "
                      "text of {} tokens. Please reduce its length.",
                      facts().embedding_max_tokens, ids.size()),
          "context_length_exceeded");
    }
    plan_->tokens += static_cast<int64_t>(ids.size());
    plan_->texts.push_back(std::move(ids));
  }
  std::vector<int32_t> Text(const std::string& text) {
    auto ids = tokenizer().Encode(text, {.parse_special = false, .add_special = true});
    const int32_t cut = facts().embedding_cut_tokens;
    if (ids.ok() && cut > 0 && ids->size() > static_cast<size_t>(cut)) {
      ids = CutIds(tokenizer(), text, *ids, cut);
    }
    if (ids.ok()) return *std::move(ids);
    fields_.Refuse("input", ids.error().message);
    return {};
  }

  const RequestContext& context_;
  Fields& fields_;
  EmbeddingPlan* plan_;
};

}  // namespace

std::optional<EmbeddingPlan> PlanEmbedding(Fields& fields, const RequestContext& context,
                                           ApiError* error) {
  EmbeddingPlan plan;
  const std::string name = ReadName(fields, "model");
  const std::string user = ReadName(fields, "user");
  const std::string* format = fields.Text("encoding_format");
  plan.base64 = format != nullptr && *format == "base64";
  if (format != nullptr && !plan.base64 && *format != "float") {
    fields.Refuse("encoding_format", "encoding_format is neither float nor base64");
  }
  const auto dimensions = fields.Integer("dimensions", 1, INT32_MAX);
  const JsonValue* input = fields.Any("input");
  if (input == nullptr) fields.Refuse("input", "input is missing");
  if (fields.ok()) {
    auto named = FindModel(context, name, user, ModelUse::kEmbed, error);
    if (!named) return std::nullopt;
    plan.model = *std::move(named);
    const int32_t columns = plan.model.model->facts.embedding_columns;
    if (dimensions && *dimensions != columns) {
      fields.Refuse("dimensions", fmt::format("dimensions is {}; this model's vectors have {}",
                                              *dimensions, columns));
    }
    InputReader(context, fields, &plan).Read(*input);
  }
  if (fields.ok()) return plan;
  *error = fields.error();
  return std::nullopt;
}

std::shared_ptr<Call> StartEmbedding(EmbeddingPlan plan, OpenCall call) {
  auto started = std::make_shared<EmbeddingCall>(std::move(plan), std::move(call));
  started->Begin();
  return started;
}

}  // namespace tenon::apps::openai
