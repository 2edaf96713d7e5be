// SPDX-License-Identifier: Apache-2.0
#include "apps/link/contender.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps::link {
namespace {

using trial::TrialPhase;

constexpr const char* kAsked = "asked for";

// The first id that stands for another token; -1: none.
int32_t FirstOtherToken(const text::Tokenizer& a, const text::Tokenizer& b) {
  const int32_t common = std::min(a.vocab_size(), b.vocab_size());
  for (int32_t id = 0; id < common; ++id) {
    if (a.TokenText(id) != b.TokenText(id)) return id;
  }
  return a.vocab_size() != b.vocab_size() ? common : -1;
}

double Seconds() {
  return std::chrono::duration<double>(Deployment::Clock::now().time_since_epoch()).count();
}

}  // namespace

Result<void> CanTakeOver(const openai::ServedModel& a, const openai::ServedModel& b) {
  std::vector<std::string> differences;
  if (!a.facts.generates || !b.facts.generates) {
    differences.emplace_back("both must generate text; one embeds");
  }
  const int32_t other = FirstOtherToken(a.text->tokenizer, b.text->tokenizer);
  if (a.facts.vocabulary != b.facts.vocabulary) {
    differences.push_back(fmt::format("its vocabulary has {} tokens instead of {}",
                                      b.facts.vocabulary, a.facts.vocabulary));
  } else if (other >= 0) {
    differences.push_back(fmt::format("token {} is another one", other));
  }
  for (const std::string& adapter : a.facts.adapters) {
    const auto& has = b.facts.adapters;
    if (std::find(has.begin(), has.end(), adapter) != has.end()) continue;
    differences.push_back(fmt::format("it has no adapter \"{}\"", adapter));
  }
  if (ContextOf(b.facts) < ContextOf(a.facts)) {
    differences.push_back(fmt::format(
        "its sequences hold {} tokens instead of {} (memory: context_tokens, kv_tokens)",
        ContextOf(b.facts), ContextOf(a.facts)));
  }
  if (differences.empty()) return {};
  return Error{Status::kInvalid,
               fmt::format("{}: cannot take requests made for {}: {}", b.facts.pipeline,
                           a.facts.pipeline, fmt::join(differences, "; "))};
}

Contender::Contender(ContenderOptions options)
    : options_(std::move(options)),
      statistics_(std::make_shared<trial::TrialStatistics>(options_.trial.shadow)),
      judge_(options_.trial.limits) {}

void Contender::Fail(const std::string& problem) {
  problem_ = problem;
  if (b_ != nullptr) b_->End();
}

void Contender::Tick(Deployment& incumbent, bool judge) {
  if (b_ != nullptr) b_->Tick(judge);
  const TrialPhase phase = Phase();
  if (phase == TrialPhase::kRunning) return Judge();
  if (phase != TrialPhase::kLoading || !problem_.empty()) return;
  if (b_ != nullptr) return FinishLoading(incumbent);
  // Behind A, whose memory is then taken and whose name is then known.
  if (incumbent.phase() != Deployment::Phase::kServing) return;
  b_ = options_.make(incumbent.model()->name);
  if (auto started = b_->Start(); !started.ok()) Fail(started.error().message);
}

void Contender::FinishLoading(Deployment& incumbent) {
  if (b_->phase() == Deployment::Phase::kBroken) return Fail(b_->problem());
  if (b_->phase() != Deployment::Phase::kServing) return;
  if (auto fits = CanTakeOver(*incumbent.model(), *b_->model()); !fits.ok()) {
    return Fail(fits.error().message);
  }
  client_ = std::make_shared<trial::TrialClient>(incumbent.model()->engine, b_->model()->engine,
                                                 options_.trial, statistics_, Seconds);
  openai::ServedModel model = *incumbent.model();
  model.engine = client_;
  model_ = std::make_shared<const openai::ServedModel>(std::move(model));
  // It is over when one of its workers dies; no other is to load beside A meanwhile.
  b_->Retire();
  const std::lock_guard lock(mutex_);
  phase_ = TrialPhase::kRunning;
  began_ = Clock::now();
}

// What is wrong with B's engine, apart from what requests tell; empty: nothing.
std::string Contender::Fault() const {
  if (b_->phase() == Deployment::Phase::kBroken) return b_->problem();
  if (!b_->last_death().empty()) return b_->last_death();
  const EngineState state = b_->model()->engine->State();
  return !state.ready && state.why_not == "stuck" ? "its engine is stuck" : "";
}

void Contender::Judge() {
  std::string why = Fault();
  if (why.empty()) why = judge_.JudgeErrors(statistics_->Counts(trial::Arm::kB));
  if (why.empty() && look_.valid() &&
      look_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    why = judge_.Judge(look_.get());
  }
  if (!why.empty()) {
    static_cast<void>(Decide(TrialPhase::kRolledBack, why));
  } else if (!look_.valid() && judge_.Due(statistics_->Samples())) {
    look_ = std::async(std::launch::async,
                       [statistics = statistics_, alpha = judge_.Alpha(), wake = options_.wake] {
                         trial::Summary summary = statistics->Sum(alpha);
                         wake();
                         return summary;
                       });
  }
}

Result<void> Contender::Decide(TrialPhase end, const std::string& reason) {
  const TrialPhase phase = Phase();
  if (phase == end) return {};
  if (phase == TrialPhase::kLoading) {
    return Error{Status::kInvalid, fmt::format("{} does not serve yet", options_.source.path)};
  }
  if (phase != TrialPhase::kRunning) {
    const bool promoted = phase == TrialPhase::kPromoted;
    const std::lock_guard lock(mutex_);
    return Error{Status::kInvalid,
                 fmt::format("the comparison is over: {} was {}: {}", options_.source.path,
                             promoted ? "promoted" : "rolled back", reason_)};
  }
  const bool promotes = end == TrialPhase::kPromoted;
  if (promotes) {
    const EngineState state = b_->model()->engine->State();
    const std::string fault = !state.ready ? state.why_not : Fault();
    if (!fault.empty()) {
      return Error{Status::kInvalid,
                   fmt::format("{} takes no requests now: {}", options_.source.path, fault)};
    }
  }
  client_->Settle(promotes ? trial::Arm::kB : trial::Arm::kA);
  options_.log(fmt::format("{}: {}: {}", options_.source.path,
                           promotes ? "promoted" : "rolled back", reason));
  const std::lock_guard lock(mutex_);
  phase_ = end;
  reason_ = reason;
  ended_ = Clock::now();
  return {};
}

Result<void> Contender::Ask(TrialPhase end) {
  auto done = std::make_shared<std::promise<Result<void>>>();
  auto result = done->get_future();
  options_.post([this, end, done] { done->set_value(Decide(end, kAsked)); });
  done.reset();
  // A promise that nobody keeps: the fleet stops.
  try {
    return result.get();
  } catch (const std::future_error&) {
    return Error{Status::kCancelled, "the server stops"};
  }
}

std::optional<Directory::Entry> Contender::Entry() const {
  if (Phase() != TrialPhase::kLoading) return std::nullopt;
  return Directory::Entry{options_.source.path, nullptr, problem_, !problem_.empty()};
}

std::shared_ptr<const openai::ServedModel> Contender::model() const {
  return Phase() == TrialPhase::kRunning ? model_ : nullptr;
}

std::optional<Contender::Outcome> Contender::TakeOutcome() {
  const TrialPhase phase = Phase();
  const bool over = phase == TrialPhase::kPromoted || phase == TrialPhase::kRolledBack;
  if (!over || b_ == nullptr) return std::nullopt;
  Outcome outcome{phase == TrialPhase::kPromoted, std::move(b_), model_};
  client_.reset();
  model_.reset();
  return outcome;
}

void Contender::Files(std::vector<int>* out) const {
  if (b_ != nullptr) b_->Files(out);
}

void Contender::Stop() {
  if (client_ != nullptr && options_.trial.shadow) client_->Settle(trial::Arm::kA);
}

void Contender::End() {
  if (b_ != nullptr) b_->End();
}

trial::TrialPhase Contender::Phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

trial::TrialReport Contender::Report() const {
  trial::TrialReport report;
  report.pipeline_a = options_.incumbent.path;
  report.pipeline_b = options_.source.path;
  report.options = options_.trial;
  report.summary = statistics_->Sum(0.05);
  const std::lock_guard lock(mutex_);
  report.phase = phase_;
  report.reason = reason_;
  const bool over = phase_ == TrialPhase::kPromoted || phase_ == TrialPhase::kRolledBack;
  const auto until = over ? ended_ : Clock::now();
  if (phase_ != TrialPhase::kLoading) {
    report.seconds = std::chrono::duration<double>(until - began_).count();
  }
  return report;
}

}  // namespace tenon::apps::link
