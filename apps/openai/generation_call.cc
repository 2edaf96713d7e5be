// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/generation_call.h"

#include <algorithm>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>

#include "apps/openai/choice_text.h"
#include "text/utf8.h"

namespace tenon::apps::openai {
namespace {

// What the engine is to end, told to it once no lock is held.
struct EngineCancel {
  uint64_t request;
  int32_t choice;
};

struct Choice {
  std::optional<ChoiceText> text;
  std::string_view finish_reason;  // empty: goes on
  double last_s = 0;               // when its last tokens came
  bool opened = false;
};

struct Part {
  std::optional<uint64_t> number;  // the engine's, once it said so
  std::vector<int32_t> cancelled;  // choices to end, from before that
  int32_t cached_tokens = 0;
};

class GenerationCall final : public Call, public std::enable_shared_from_this<GenerationCall> {
 public:
  GenerationCall(GenerationPlan plan, OpenCall call)
      : plan_(std::move(plan)),
        call_(std::move(call)),
        reply_(plan_.head),
        width_(plan_.fields.best_of),
        parts_(plan_.prompts.size()),
        choices_(parts_.size() * static_cast<size_t>(width_)),
        open_choices_(choices_.size()) {}

  void Begin();
  void Cancel() override;

 private:
  using Lock = std::unique_lock<std::recursive_mutex>;

  ChoiceText MakeText(const PlannedPrompt& prompt, const text::StopStrings* stops) const;
  void Generate(size_t part);
  void OnEvent(size_t part, const GenerateEvent& event);
  void Time(const GenerateEvent& event, Choice& choice);
  void Push(size_t part, const GenerateEvent& event, Choice& choice,
            std::vector<EngineCancel>* cancels);
  void End(size_t part, const GenerateEvent& event, Choice& choice,
           std::vector<EngineCancel>* cancels);
  void Send(int32_t index, Choice& choice);
  void FinishIfAll();
  std::vector<FinishedChoice> Finished();
  Usage TotalUsage() const;
  void FillRecord();
  std::vector<EngineCancel> EndAll();
  void Tell(const std::vector<EngineCancel>& cancels) {
    for (const EngineCancel& one : cancels) plan_.model->engine->Cancel(one.request, one.choice);
  }

  const GenerationPlan plan_;
  // A sink may cancel from within what it is told.
  std::recursive_mutex mutex_;
  OpenCall call_;
  const ReplyText reply_;
  const int32_t width_;  // choices of a prompt
  std::vector<Part> parts_;
  std::vector<Choice> choices_;  // [parts, width]
  size_t open_choices_;
  double first_token_s_ = 0;
  double last_token_s_ = 0;
};

ChoiceText GenerationCall::MakeText(const PlannedPrompt& prompt,
                                    const text::StopStrings* stops) const {
  const text::Tokenizer& tokenizer = plan_.model->text->tokenizer;
  std::optional<LogprobText> logprobs;
  if (plan_.fields.logprobs >= 0) {
    logprobs.emplace(tokenizer, plan_.head.chat ? LogprobShape::kChat : LogprobShape::kCompletion,
                     static_cast<int64_t>(text::CountCharacters(prompt.echo)));
  }
  return ChoiceText(tokenizer, stops, plan_.fields.min_tokens, std::move(logprobs));
}

void GenerationCall::Begin() {
  std::optional<text::StopStrings> stops;
  if (!plan_.fields.stop.empty()) {
    auto made = text::StopStrings::Make(plan_.fields.stop);
    if (!made.ok()) {
      ApiError error;
      error.param = "stop";
      error.message = made.error().message;
      return call_.Fail(error);
    }
    stops = *std::move(made);
  }
  for (size_t i = 0; i < choices_.size(); ++i) {
    choices_[i].text =
        MakeText(plan_.prompts[i / static_cast<size_t>(width_)], stops ? &*stops : nullptr);
  }
  for (size_t part = 0; part < parts_.size(); ++part) Generate(part);
}

void GenerationCall::Generate(size_t part) {
  {
    const Lock lock(mutex_);
    if (call_.ended()) return;
  }
  const uint64_t number = plan_.model->engine->Generate(
      plan_.prompts[part].request, [self = shared_from_this(), part](const GenerateEvent& event) {
        self->OnEvent(part, event);
      });
  std::vector<EngineCancel> cancels;
  {
    const Lock lock(mutex_);
    parts_[part].number = number;
    for (const int32_t choice : parts_[part].cancelled) cancels.push_back({number, choice});
    if (call_.ended()) cancels = {{number, -1}};
  }
  Tell(cancels);
}

void GenerationCall::Cancel() {
  std::vector<EngineCancel> cancels;
  {
    const Lock lock(mutex_);
    if (call_.ended()) return;
    FillRecord();
    call_.Abort();
    cancels = EndAll();
  }
  Tell(cancels);
}

std::vector<EngineCancel> GenerationCall::EndAll() {
  std::vector<EngineCancel> cancels;
  for (const Part& part : parts_) {
    if (part.number) cancels.push_back({*part.number, -1});
  }
  return cancels;
}

void GenerationCall::OnEvent(size_t part, const GenerateEvent& event) {
  std::vector<EngineCancel> cancels;
  {
    const Lock lock(mutex_);
    if (call_.ended()) return;
    const bool lost = event.finish == core::FinishReason::kError;
    const size_t index = part * static_cast<size_t>(width_) + static_cast<size_t>(event.choice);
    if (!lost && (event.choice < 0 || event.choice >= width_)) return;
    if (!lost && !choices_[index].finish_reason.empty()) return;
    if (lost || event.finish == core::FinishReason::kCancelled) {
      FillRecord();
      call_.Fail(lost ? EngineError(event.status, event.error)
                      : EngineError(Status::kIo, "the engine ended the request"));
      cancels = EndAll();
    } else {
      Choice& choice = choices_[index];
      parts_[part].cached_tokens = std::max(parts_[part].cached_tokens, event.cached_tokens);
      if (event.queued_us > 0) call_.record().queue_s = static_cast<double>(event.queued_us) * 1e-6;
      if (!event.tokens.empty()) Time(event, choice);
      Push(part, event, choice, &cancels);
      if (plan_.fields.stream) Send(static_cast<int32_t>(index), choice);
      if (!choice.finish_reason.empty()) --open_choices_;
      FinishIfAll();
    }
  }
  Tell(cancels);
}

void GenerationCall::Time(const GenerateEvent& event, Choice& choice) {
  const double now = call_.Seconds();
  const std::string& model = plan_.head.model;
  const auto tokens = static_cast<int32_t>(event.tokens.size());
  if (first_token_s_ == 0) {
    first_token_s_ = now;
    call_.ticket().Begin();
    call_.observer().OnFirstToken(model, now);
  } else if (choice.last_s > 0) {
    call_.observer().OnTokens(model, tokens, now - choice.last_s);
  }
  choice.last_s = last_token_s_ = now;
}

void GenerationCall::Push(size_t part, const GenerateEvent& event, Choice& choice,
                          std::vector<EngineCancel>* cancels) {
  if (event.text) {
    choice.text->PushText(event.tokens.size(), *event.text);
    return End(part, event, choice, cancels);
  }
  const std::vector<int32_t>& ends = plan_.prompts[part].request.stop_tokens;
  for (size_t i = 0; i < event.tokens.size(); ++i) {
    const GeneratedToken& token = event.tokens[i];
    const bool is_end = i + 1 == event.tokens.size() && event.finish == core::FinishReason::kStop &&
                        std::find(ends.begin(), ends.end(), token.id) != ends.end();
    if (is_end) {
      choice.text->PushEnd();
    } else {
      choice.text->Push(token);
    }
  }
  End(part, event, choice, cancels);
}

// What the event's tokens and its finish make of the choice.
void GenerationCall::End(size_t part, const GenerateEvent& event, Choice& choice,
                         std::vector<EngineCancel>* cancels) {
  if (event.finish != core::FinishReason::kNone) choice.text->Finish();
  if (choice.text->stopped()) {
    choice.finish_reason = "stop";
    if (event.finish != core::FinishReason::kNone) return;
    if (parts_[part].number) {
      cancels->push_back({*parts_[part].number, event.choice});
    } else {
      parts_[part].cancelled.push_back(event.choice);
    }
  } else if (event.finish != core::FinishReason::kNone) {
    choice.finish_reason = event.blocked                                 ? "content_filter"
                           : event.finish == core::FinishReason::kLength ? "length"
                                                                         : "stop";
  }
}

void GenerationCall::Send(int32_t index, Choice& choice) {
  if (!std::exchange(choice.opened, true)) {
    const std::string& echo = plan_.prompts[static_cast<size_t>(index / width_)].echo;
    if (plan_.head.chat || !echo.empty()) call_.sink()->Chunk(reply_.Opening(index, echo));
    if (call_.ended()) return;
  }
  const std::string text = choice.text->TakeText();
  const std::string logprobs = choice.text->TakeLogprobs();
  if (text.empty() && logprobs.empty() && choice.finish_reason.empty()) return;
  call_.sink()->Chunk(reply_.Delta(index, text, logprobs, choice.finish_reason));
}

void GenerationCall::FinishIfAll() {
  if (call_.ended() || open_choices_ > 0) return;
  FillRecord();
  const std::string finished(choices_.front().finish_reason);
  if (!plan_.fields.stream) {
    return call_.Whole(reply_.Whole(Finished(), TotalUsage()), finished.c_str());
  }
  if (plan_.fields.include_usage) call_.sink()->Chunk(reply_.UsageChunk(TotalUsage()));
  if (!call_.ended()) call_.End(finished.c_str());
}

// Of each prompt's choices the `n` likeliest, by the mean log-probability of their tokens.
std::vector<FinishedChoice> GenerationCall::Finished() {
  std::vector<FinishedChoice> out;
  for (size_t part = 0; part < parts_.size(); ++part) {
    const auto first = part * static_cast<size_t>(width_);
    std::vector<size_t> order(static_cast<size_t>(width_));
    std::iota(order.begin(), order.end(), first);
    if (plan_.fields.best_of > plan_.fields.n) {
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const ChoiceText& left = *choices_[a].text;
        const ChoiceText& right = *choices_[b].text;
        return left.logprob_sum() / static_cast<double>(std::max<int64_t>(1, left.tokens())) >
               right.logprob_sum() / static_cast<double>(std::max<int64_t>(1, right.tokens()));
      });
      order.resize(static_cast<size_t>(plan_.fields.n));
    }
    for (const size_t index : order) {
      Choice& choice = choices_[index];
      out.push_back({plan_.prompts[part].echo + choice.text->TakeText(),
                     choice.text->TakeLogprobs(), choice.finish_reason});
    }
  }
  return out;
}

Usage GenerationCall::TotalUsage() const {
  Usage usage;
  for (size_t part = 0; part < parts_.size(); ++part) {
    usage.prompt_tokens += static_cast<int64_t>(plan_.prompts[part].request.prompt.size());
    usage.cached_tokens += parts_[part].cached_tokens;
  }
  for (const Choice& choice : choices_) usage.completion_tokens += choice.text->tokens();
  return usage;
}

void GenerationCall::FillRecord() {
  const Usage usage = TotalUsage();
  CallRecord& record = call_.record();
  record.choices = static_cast<int32_t>(choices_.size());
  record.prompt_tokens = usage.prompt_tokens;
  record.cached_tokens = usage.cached_tokens;
  record.output_tokens = usage.completion_tokens;
  record.first_token_s = first_token_s_;
  const double each = static_cast<double>(usage.completion_tokens) / record.choices;
  if (each > 1) record.per_token_s = (last_token_s_ - first_token_s_) / (each - 1);
}

}  // namespace

std::shared_ptr<Call> StartGeneration(GenerationPlan plan, OpenCall call) {
  auto started = std::make_shared<GenerationCall>(std::move(plan), std::move(call));
  started->Begin();
  return started;
}

}  // namespace tenon::apps::openai
