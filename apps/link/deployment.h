// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "apps/link/fleet.h"
#include "apps/link/remote_client.h"
#include "apps/link/worker_group.h"
#include "apps/link/worker_process.h"

namespace tenon::apps::link {

struct DeploymentOptions {
  PipelineSource source;         // as the user gave it
  std::string name;              // what requests call the model; empty: as the pipeline does
  std::vector<Endpoint> remote;  // workers that run already, instead of a source
  std::string resolved;          // canonical YAML to start from instead; empty: the source
  double step_limit_s = 0;       // as FleetOptions'
  std::string binary;
  std::string folder;
  std::string share_folder;  // of the workers' weights; empty: each keeps its own
  std::function<void(const std::string& text)> log;
  std::function<void()> wake;  // from any thread: there is something for Tick
};

// One pipeline's workers: starts them, watches, kills those that went silent, and starts others in
// their place, from the pipeline as it was when it began to serve. Thread: one, a fleet's, which
// calls Tick about ten times a second and whenever it is woken.
class Deployment {
 public:
  enum class Phase { kLoading, kServing, kBroken };
  using Clock = std::chrono::steady_clock;

  explicit Deployment(DeploymentOptions options);

  // Starts the first worker.
  Result<void> Start();
  // `judge`: silence counts; not so when this process itself was held up.
  void Tick(bool judge);
  // Another takes its place: who dies from now on stays dead.
  void Retire() { retired_ = true; }
  void Reinstate() { retired_ = false; }
  // Ends the workers; nothing is started any more.
  void End();

  Phase phase() const { return phase_; }
  const std::string& problem() const { return problem_; }  // why it is broken
  const DeploymentOptions& options() const { return options_; }
  // How the last worker ended that died by itself or was killed for a fault; empty: none did.
  const std::string& last_death() const { return last_death_; }
  // From kServing on.
  std::shared_ptr<const openai::ServedModel> model() const { return model_; }
  const std::string& resolved() const { return identity_.resolved; }
  int64_t OpenRequests() const { return group_ != nullptr ? group_->OpenRequests() : 0; }
  bool AllEnded();
  // To poll for reading.
  void Files(std::vector<int>* out) const;

 private:
  struct Place {
    std::unique_ptr<WorkerProcess> process;
    std::shared_ptr<RemoteClient> client;
    Clock::time_point started;
    Clock::time_point lost;     // since when its link is; epoch: it is not
    Clock::time_point stopped;  // since when it was seen so; epoch: it is not
    bool joined = false;        // the group
    std::string refused;        // why its link could not be made anew
    std::string killed;         // why it is killed here
    Clock::time_point kill_at;
  };
  using Text = Result<std::shared_ptr<const openai::ModelText>>;

  Result<void> Spawn(Place& place);
  void Watch(size_t index, bool judge);
  void WatchRemote(size_t index, bool judge);
  void Judge(Place& place, bool judge);
  std::string WhyKill(Place& place, bool judge) const;
  void Join(size_t index);
  void Found(const RemoteClient& client);
  void Bury(size_t index);
  void FinishLoading();
  void Break(const std::string& problem);

  DeploymentOptions options_;
  PipelineSource start_from_;
  std::vector<Place> places_;
  std::deque<Clock::time_point> deaths_;
  std::string last_death_;
  Phase phase_ = Phase::kLoading;
  std::string problem_;
  EngineIdentity identity_;
  std::shared_ptr<WorkerGroup> group_;
  std::future<Text> text_;
  std::shared_ptr<const openai::ServedModel> model_;
  bool retired_ = false;
  bool ending_ = false;
};

}  // namespace tenon::apps::link
