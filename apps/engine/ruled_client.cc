// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/ruled_client.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <utility>

#include "apps/engine/digest.h"
#include "text/stream_decoder.h"

namespace tenon::apps {
namespace {

class Collected final : public TextSink {
 public:
  void Append(Str piece) noexcept override { text += std::string_view(piece); }
  std::string text;
};

// All that a request's answer depends on, as bytes.
class Digest {
 public:
  template <typename T>
  void Add(const T& value) {
    static_assert(std::is_arithmetic_v<T>);
    const auto* bytes = reinterpret_cast<const char*>(&value);
    text_.append(bytes, sizeof value);
  }
  template <typename T>
  void Add(const std::vector<T>& values) {
    Add(values.size());
    for (const T& value : values) Add(value);
  }
  void Add(const TokenBias& bias) {
    Add(bias.token);
    Add(bias.bias);
  }
  void Add(const std::string& text) {
    Add(text.size());
    text_ += text;
  }
  // What is not said is one value, whatever NaN it was.
  void AddReal(float value) {
    Add(std::isnan(value));
    Add(std::isnan(value) ? 0.0f : value);
  }
  void Take(uint64_t (&out)[2]) const { std::memcpy(out, Sha256Of(text_).data(), sizeof out); }

 private:
  std::string text_;
};

RuleRequest RuleRequestOf(const GenerateRequest& request) {
  Digest digest;
  const SamplingParams& sampling = request.sampling;
  digest.Add(request.prompt);
  for (const float value :
       {sampling.temperature, sampling.top_p, sampling.min_p, sampling.repetition_penalty,
        sampling.presence_penalty, sampling.frequency_penalty}) {
    digest.AddReal(value);
  }
  digest.Add(sampling.top_k);
  digest.Add(sampling.temperature == 0 ? uint64_t{0} : sampling.seed);
  digest.Add(request.bias);
  digest.Add(request.stop_tokens);
  digest.Add(request.max_tokens);
  digest.Add(request.min_tokens);
  digest.Add(request.adapter);
  digest.Add(request.cache_salt);
  RuleRequest out{std::string_view(request.user_text), {}};
  digest.Take(out.fingerprint);
  return out;
}

// One choice's text on its way through the back rules.
class Chain {
 public:
  Chain(const Rules& rules, bool* made) : decoder_(*rules.tokenizer, {.starts_text = false}) {
    for (BackRule* rule : rules.back) {
      TextFilter* filter = rule->Begin();
      *made = *made && filter != nullptr;
      if (filter != nullptr) filters_.push_back({rule, filter});
    }
  }
  ~Chain() {
    for (const Link& link : filters_) link.rule->End(link.filter);
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  std::string Push(int32_t id) { return Say(decoder_.Push(id)); }

  std::string Say(std::string said) {
    raw_ += said;
    return Through(0, std::move(said));
  }

  // The end: what the decoder and each filter held back, through those behind it.
  std::string Finish() {
    std::string out = Say(decoder_.Flush());
    for (size_t at = 0; at < filters_.size() && !blocked(); ++at) {
      Collected rest;
      filters_[at].filter->Finish(rest);
      out += Through(at + 1, std::move(rest.text));
    }
    return out;
  }

  bool blocked() const {
    return std::any_of(filters_.begin(), filters_.end(),
                       [](const Link& link) { return link.filter->Blocked(); });
  }
  const std::string& raw() const { return raw_; }  // what the model said

 private:
  struct Link {
    BackRule* rule;
    TextFilter* filter;
  };

  // A filter that blocks still gave out what came before; those behind it say their last then.
  std::string Through(size_t from, std::string text) {
    bool last = false;
    for (size_t at = from; at < filters_.size(); ++at) {
      TextFilter& filter = *filters_[at].filter;
      if (filter.Blocked()) return {};
      Collected out;
      if (!text.empty()) filter.Feed(std::string_view(text), out);
      if (last && !filter.Blocked()) filter.Finish(out);
      last = last || filter.Blocked();
      text = std::move(out.text);
    }
    return text;
  }

  text::StreamDecoder decoder_;
  std::vector<Link> filters_;
  std::string raw_;
};

// A request that the engine answers. One thread at a time, as its events come.
class RuledRequest {
 public:
  RuledRequest(const std::shared_ptr<EngineClient>& engine, std::shared_ptr<const Rules> rules,
               const GenerateRequest& request, OnGenerateEvent on_event)
      : engine_(engine),
        rules_(std::move(rules)),
        user_text_(request.user_text),
        asked_(RuleRequestOf(request)),
        ends_(request.stop_tokens),
        on_event_(std::move(on_event)),
        learns_(request.n == 1 && !rules_->front.empty()) {
    asked_.user_text = std::string_view(user_text_);
    for (int32_t i = 0; i < std::max(1, request.n); ++i) {
      choices_.push_back(std::make_unique<Chain>(*rules_, &made_));
    }
  }

  bool made() const { return made_; }  // else memory is out
  void Refuse(GenerateEvent event) { on_event_(std::move(event)); }

  void Hear(GenerateEvent event) {
    if (event.finish == core::FinishReason::kError) return on_event_(std::move(event));
    const auto index = static_cast<size_t>(event.choice);
    if (index >= choices_.size() || choices_[index] == nullptr) return;
    const bool ended = event.finish != core::FinishReason::kNone;
    const bool said_all =
        event.finish == core::FinishReason::kStop || event.finish == core::FinishReason::kLength;
    Chain& chain = *choices_[index];
    std::string shown;
    for (size_t i = 0; i < event.tokens.size() && !chain.blocked(); ++i) {
      const bool is_end = i + 1 == event.tokens.size() &&
                          event.finish == core::FinishReason::kStop &&
                          std::find(ends_.begin(), ends_.end(), event.tokens[i].id) != ends_.end();
      if (!is_end) shown += chain.Push(event.tokens[i].id);
    }
    if (said_all && !chain.blocked()) shown += chain.Finish();
    // An answer that was cut short would be told as a whole one.
    if (event.finish == core::FinishReason::kStop && learns_ && !chain.blocked()) {
      for (FrontRule* rule : rules_->front) rule->Learn(asked_, std::string_view(chain.raw()));
    }
    if (!rules_->back.empty()) event.text = std::move(shown);
    const bool blocked = chain.blocked() && (said_all || !ended);
    if (blocked) {
      event.blocked = true;
      event.finish = core::FinishReason::kStop;
    }
    if (blocked || ended) choices_[index] = nullptr;
    const int32_t choice = event.choice;
    on_event_(std::move(event));
    if (blocked && !ended) Cut(choice);
  }

  // The engine's number, which it may say only after the first events.
  void Name(uint64_t number) {
    std::vector<int32_t> cut;
    {
      const std::lock_guard lock(mutex_);
      number_ = number;
      cut.swap(cut_);
    }
    for (const int32_t choice : cut) CancelChoice(number, choice);
  }

 private:
  void Cut(int32_t choice) {
    {
      const std::lock_guard lock(mutex_);
      if (number_ == 0) return cut_.push_back(choice);
    }
    CancelChoice(number_, choice);
  }
  void CancelChoice(uint64_t number, int32_t choice) {
    // Who is gone has cancelled everything.
    if (const auto engine = engine_.lock()) engine->Cancel(number, choice);
  }

  const std::weak_ptr<EngineClient> engine_;
  const std::shared_ptr<const Rules> rules_;
  const std::string user_text_;
  RuleRequest asked_;
  const std::vector<int32_t> ends_;
  const OnGenerateEvent on_event_;
  const bool learns_;
  bool made_ = true;
  std::vector<std::unique_ptr<Chain>> choices_;  // null: ended
  std::mutex mutex_;
  uint64_t number_ = 0;       // set once
  std::vector<int32_t> cut_;  // before that
};

GenerateEvent Refusal(Status status, const char* why) {
  GenerateEvent event;
  event.finish = core::FinishReason::kError;
  event.status = status;
  event.error = why;
  return event;
}

// The events of an answer that the model was not asked for.
void Tell(const Rules& rules, const std::string& answer, int32_t n,
          const OnGenerateEvent& on_event) {
  const auto ids = rules.tokenizer->Encode(answer);
  for (int32_t choice = 0; choice < std::max(1, n); ++choice) {
    bool made = true;
    Chain chain(rules, &made);
    if (!made || !ids.ok()) {
      return on_event(Refusal(Status::kInternal, "a rule of the pipeline failed"));
    }
    GenerateEvent event;
    event.choice = choice;
    for (const int32_t id : *ids) event.tokens.push_back({id, 0, {}});
    event.text = chain.Say(answer);
    if (!chain.blocked()) *event.text += chain.Finish();
    event.finish = core::FinishReason::kStop;
    event.blocked = chain.blocked();
    on_event(std::move(event));
  }
}

}  // namespace

RuledClient::RuledClient(std::unique_ptr<EngineClient> engine, Rules rules,
                         std::function<void()> after_answer)
    : rules_(std::make_shared<const Rules>(std::move(rules))),
      after_answer_(std::move(after_answer)),
      engine_(std::move(engine)) {}

uint64_t RuledClient::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  const auto answered = [&] {
    if (after_answer_) after_answer_();
    return uint64_t{0};
  };
  if (rules_->tokenizer == nullptr) {
    on_event(Refusal(Status::kUnsupported,
                     "the pipeline has rules on texts, and its model no tokenizer"));
    return answered();
  }
  if (request.logprobs >= 0 && !rules_->back.empty()) {
    on_event(Refusal(Status::kUnsupported,
                     "logprobs cannot be told: rules of the pipeline change its output"));
    return answered();
  }
  // Of an answer of theirs there are no log-probabilities.
  for (FrontRule* rule : rules_->front) {
    Collected answer;
    if (request.logprobs >= 0 || !rule->Answer(RuleRequestOf(request), answer)) continue;
    Tell(*rules_, answer.text, request.n, on_event);
    return answered();
  }
  auto ruled = std::make_shared<RuledRequest>(engine_, rules_, request, std::move(on_event));
  if (!ruled->made()) {
    ruled->Refuse(Refusal(Status::kInternal, "a rule of the pipeline has no memory"));
    return answered();
  }
  const uint64_t number = engine_->Generate(
      std::move(request), [ruled](GenerateEvent event) { ruled->Hear(std::move(event)); });
  ruled->Name(number);
  return number;
}

void RuledClient::Cancel(uint64_t request, int32_t choice) { engine_->Cancel(request, choice); }

void RuledClient::Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) {
  engine_->Embed(std::move(texts), std::move(done));
}

}  // namespace tenon::apps
