// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apps/link/deployment.h"
#include "apps/link/directory.h"
#include "apps/trial/trial.h"
#include "apps/trial/trial_client.h"

namespace tenon::apps::link {

// Why `b` could not answer the requests that are made for `a`: another vocabulary, an adapter
// missing, less context. All that differs, in one error.
Result<void> CanTakeOver(const openai::ServedModel& a, const openai::ServedModel& b);

struct ContenderOptions {
  PipelineSource incumbent, source;  // A and B
  trial::TrialOptions trial;
  // A deployment of B that answers to the name; it has not begun.
  std::function<std::unique_ptr<Deployment>(const std::string& name)> make;
  std::function<void(const std::string& text)> log;
  std::function<void(std::function<void()>)> post;  // to the fleet's thread; dropped when it ends
  std::function<void()> wake;                       // from any thread: there is something for Tick
};

// A pipeline that is tried beside the one that serves: from its loading to its promotion or its
// end. Thread: the fleet's, but for Trial's functions.
class Contender final : public trial::Trial {
 public:
  explicit Contender(ContenderOptions options);

  // Starts B once `incumbent` serves, compares once B does too, judges.
  void Tick(Deployment& incumbent, bool judge);
  // What a directory shows of B until the trial runs; nothing from then on.
  std::optional<Directory::Entry> Entry() const;
  // What is to be served in A's stead while the trial runs; else null.
  std::shared_ptr<const openai::ServedModel> model() const;
  // B, retired, once, when the trial is over. `model` is what served meanwhile.
  struct Outcome {
    bool promoted = false;
    std::unique_ptr<Deployment> b;
    std::weak_ptr<const openai::ServedModel> model;
  };
  std::optional<Outcome> TakeOutcome();

  int64_t OpenRequests() const { return b_ != nullptr ? b_->OpenRequests() : 0; }
  void Files(std::vector<int>* out) const;
  // The server stops: shadows are cancelled.
  void Stop();
  void End();
  bool AllEnded() { return b_ == nullptr || b_->AllEnded(); }

  trial::TrialReport Report() const override;
  trial::TrialPhase Phase() const override;
  Result<void> Promote() override { return Ask(trial::TrialPhase::kPromoted); }
  Result<void> RollBack() override { return Ask(trial::TrialPhase::kRolledBack); }

 private:
  using Clock = Deployment::Clock;

  void FinishLoading(Deployment& incumbent);
  void Judge();
  std::string Fault() const;
  Result<void> Ask(trial::TrialPhase end);
  Result<void> Decide(trial::TrialPhase end, const std::string& reason);
  void Fail(const std::string& problem);

  const ContenderOptions options_;
  const std::shared_ptr<trial::TrialStatistics> statistics_;
  trial::TrialJudge judge_;
  std::unique_ptr<Deployment> b_;
  std::shared_ptr<trial::TrialClient> client_;
  std::shared_ptr<const openai::ServedModel> model_;
  std::string problem_;  // why it could not begin
  std::future<trial::Summary> look_;

  mutable std::mutex mutex_;
  trial::TrialPhase phase_ = trial::TrialPhase::kLoading;
  std::string reason_;
  Clock::time_point began_, ended_;
};

}  // namespace tenon::apps::link
