// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "apps/openai/json_text.h"
#include "apps/record/line.h"
#include "text/utf8.h"

namespace tenon::apps::record {
namespace {

using openai::AppendFloat;
using openai::AppendNumber;

// An object in the making.
class Object {
 public:
  explicit Object(std::string* out) : out_(*out) { out_ += '{'; }
  void End() { out_ += '}'; }

  void Key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void Number(std::string_view name, int64_t value) {
    Key(name);
    AppendNumber(value, &out_);
  }
  void Text(std::string_view name, std::string_view text) {
    Key(name);
    std::string valid;
    text::AppendReplacingInvalid(text, &valid);
    openai::AppendQuoted(valid, &out_);
  }
  void Flag(std::string_view name, bool value) {
    Key(name);
    out_ += value ? "true" : "false";
  }
  // NaN, which means that nobody said a value, is left out.
  void Real(std::string_view name, float value) {
    if (std::isnan(value)) return;
    Key(name);
    AppendFloat(value, &out_);
  }
  void Ids(std::string_view name, const std::vector<int32_t>& ids) {
    Key(name);
    out_ += '[';
    for (size_t i = 0; i < ids.size(); ++i) {
      if (i > 0) out_ += ',';
      AppendNumber(ids[i], &out_);
    }
    out_ += ']';
  }
  // `write(item)` appends each of `items`, which are an array.
  template <typename Items, typename WriteItem>
  void Array(std::string_view name, const Items& items, WriteItem write) {
    Key(name);
    out_ += '[';
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) out_ += ',';
      write(item);
    }
    out_ += ']';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

const char* Name(End end) {
  switch (end) {
    case End::kStop:
      return "stop";
    case End::kLength:
      return "length";
    case End::kBlocked:
      return "blocked";
    case End::kError:
      return "error";
    default:
      return "cancelled";
  }
}

void WriteIdentity(const EngineIdentity& identity, std::string* out) {
  Object object(out);
  object.Text("resolved", identity.resolved);
  object.Text("sha256", identity.sha256);
  object.Text("isa", identity.isa);
  object.Number("threads", identity.threads);
  object.Array("components", identity.components, [&](const ComponentIdentity& component) {
    Object one(out);
    one.Text("family", component.family);
    one.Text("use", component.use);
    one.Text("plugin", component.plugin);
    one.Text("version", component.version);
    one.Text("file", component.file);
    one.Text("sha256", component.sha256);
    one.End();
  });
  object.End();
}

void WriteSampling(const SamplingParams& sampling, std::string* out) {
  Object object(out);
  object.Real("temperature", sampling.temperature);
  if (sampling.top_k != SamplingParams::kUnset) object.Number("top_k", sampling.top_k);
  object.Real("top_p", sampling.top_p);
  object.Real("min_p", sampling.min_p);
  object.Real("repetition_penalty", sampling.repetition_penalty);
  object.Real("presence_penalty", sampling.presence_penalty);
  object.Real("frequency_penalty", sampling.frequency_penalty);
  // JSON's numbers hold no 64 bits.
  object.Text("seed", std::to_string(sampling.seed));
  object.End();
}

void WriteChoice(const RecordedChoice& choice, std::string* out) {
  Object object(out);
  object.Text("end", Name(choice.end));
  object.Number("cached_tokens", choice.cached_tokens);
  if (choice.first_token_us >= 0) {
    object.Number("first_token_us", choice.first_token_us);
    object.Number("last_token_us", choice.last_token_us);
    if (choice.tokens.size() > 1) {
      object.Real("per_token_us", static_cast<float>(PerTokenUs(choice)));
    }
  }
  if (!choice.error.empty()) object.Text("error", choice.error);
  object.Ids("tokens", choice.tokens);
  if (!choice.text.empty()) object.Text("text", choice.text);
  object.End();
}

void WriteAsked(const GenerateRequest& request, Object& object, std::string* out) {
  object.Text("id", openai::FirstCharacters(request.id, kMostIdBytes));
  object.Number("max_tokens", request.max_tokens);
  object.Number("min_tokens", request.min_tokens);
  object.Number("n", request.n);
  object.Number("logprobs", request.logprobs);
  object.Number("priority", request.priority);
  if (!request.adapter.empty()) object.Text("adapter", request.adapter);
  if (request.cache_salt != 0) object.Text("cache_salt", std::to_string(request.cache_salt));
  object.Key("sampling");
  WriteSampling(request.sampling, out);
  object.Array("bias", request.bias, [&](const TokenBias& bias) {
    *out += '[';
    AppendNumber(bias.token, out);
    *out += ',';
    AppendFloat(bias.bias, out);
    *out += ']';
  });
  object.Ids("stop_tokens", request.stop_tokens);
  object.Ids("prompt", request.prompt);
  if (!request.user_text.empty()) object.Text("user_text", request.user_text);
}

struct Writer {
  std::string& out;

  void operator()(const FileHead& head) const {
    Object object(&out);
    object.Number("format", kFormat);
    object.Number("file", head.file);
    object.Text("run", head.run.name);
    object.Text("tenon", head.run.program);
    object.Flag("text", head.run.text);
    object.End();
  }
  void operator()(const RecordedEngine& engine) const {
    Object object(&out);
    object.Number("number", engine.number);
    object.Text("model", engine.model);
    object.Text("pipeline", engine.pipeline);
    object.Key("identity");
    WriteIdentity(engine.identity, &out);
    object.End();
  }
  void operator()(const RecordedRequest& request) const {
    Object object(&out);
    object.Number("engine", request.engine);
    object.Number("arrival_us", request.arrival_us);
    if (request.cancel_us >= 0) object.Number("cancel_us", request.cancel_us);
    WriteAsked(request.request, object, &out);
    if (!request.prompt_text.empty()) object.Text("prompt_text", request.prompt_text);
    object.Array("choices", request.choices,
                 [&](const RecordedChoice& choice) { WriteChoice(choice, &out); });
    object.End();
  }
  void operator()(const LeftOut& left_out) const { AppendNumber(left_out.requests, &out); }
};

}  // namespace

std::string LineOf(const Line& line) {
  std::string out = std::string("{\"") + kKinds[line.index()] + "\":";
  std::visit(Writer{out}, line);
  return out + "}\n";
}

}  // namespace tenon::apps::record
