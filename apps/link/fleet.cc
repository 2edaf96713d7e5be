// SPDX-License-Identifier: Apache-2.0
#include "apps/link/fleet.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "apps/link/bell.h"
#include "apps/link/contender.h"
#include "apps/link/deployment.h"
#include "apps/link/directory.h"
#include "apps/link/share_folder.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps {
namespace {

using link::Bell;
using link::Contender;
using link::Deployment;
using Clock = Deployment::Clock;
using Model = std::shared_ptr<const openai::ServedModel>;

constexpr int kTickMs = 100;
// Where a tick comes later than this, the machine or this process was held up, and workers may
// have spoken unheard.
constexpr auto kLate = std::chrono::milliseconds(600);
constexpr auto kGrace = std::chrono::milliseconds(1800);
// What a request found before a reload may still be used after it.
constexpr auto kHoldOld = std::chrono::seconds(10);
constexpr auto kEndWithin = std::chrono::seconds(2);

class Supervisor final : public Fleet {
 public:
  Supervisor(const FleetOptions& options, FleetEvents events)
      : options_(options), log_(std::move(events.on_problem)) {
    if (!log_) log_ = [](const std::string&) {};
    contender_ = MakeContender();
  }
  ~Supervisor() override { Stop(0); }

  Result<void> Begin();

  std::vector<Model> Models() const override { return directory_.Models(); }
  Result<openai::NamedModel> Find(const std::string& name,
                                  const std::string& sticky) const override {
    return directory_.Find(name, sticky);
  }
  std::string WhyNotReady() const override { return directory_.WhyNotReady(); }
  std::string Failed() const override { return directory_.Failed(); }
  Result<void> Reload(const std::string& path) override;
  trial::Trial* trial() override { return contender_.get(); }
  void Stop(double seconds) override;

 private:
  // One of the options' pipelines.
  struct Place {
    std::unique_ptr<Deployment> current;
    // What served before a reload, to return to.
    PipelineSource before;
    std::string before_resolved;
  };
  struct Change {
    std::vector<std::pair<size_t, std::unique_ptr<Deployment>>> next;
    std::promise<Result<void>> done;
  };
  struct Old {
    std::unique_ptr<Deployment> deployment;
    std::weak_ptr<const openai::ServedModel> model;
    Clock::time_point since;
    bool ending = false;
  };
  using Command = std::function<void()>;

  std::unique_ptr<Contender> MakeContender();
  std::unique_ptr<Deployment> Make(const PipelineSource& source, const std::string& name,
                                   const std::string& resolved);
  Result<void> StartAll();
  void Run(std::promise<Result<void>> started);
  void Wait();
  void TickAll();
  void BeginChange(const std::string& path, std::promise<Result<void>> done);
  void AdvanceChange();
  void Replace(size_t place, std::unique_ptr<Deployment> next,
               std::weak_ptr<const openai::ServedModel> served);
  void EndTrial();
  void ReturnToBefore(size_t place);
  void DropOld();
  void Show();
  void EndAll();
  void Post(Command command);

  const FleetOptions options_;
  std::function<void(const std::string&)> log_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();

  // The supervising thread's.
  std::vector<Place> places_;
  std::vector<Old> old_;
  std::optional<Change> change_;
  std::optional<Clock::time_point> stop_by_;
  Clock::time_point last_tick_ = Clock::now();
  Clock::time_point judge_from_ = Clock::now();

  const link::ShareFolder share_folder_;
  std::unique_ptr<Contender> contender_;  // null: nothing is compared
  link::Directory directory_;
  std::mutex mutex_;
  std::vector<Command> commands_;
  bool over_ = false;
  // Workers die with the thread that started them: this one.
  std::thread thread_;
};

Result<void> Supervisor::Begin() {
  if (mkdir(options_.folder.c_str(), 0700) != 0) {
    return Error{Status::kIo,
                 fmt::format("{}: cannot be made: {}", options_.folder, std::strerror(errno))};
  }
  std::promise<Result<void>> started;
  auto result = started.get_future();
  thread_ = std::thread([this, &started] { Run(std::move(started)); });
  return result.get();
}

std::unique_ptr<Contender> Supervisor::MakeContender() {
  if (!options_.compared) return nullptr;
  link::ContenderOptions options;
  options.incumbent = options_.pipelines.at(0);
  options.source = *options_.compared;
  options.trial = options_.trial;
  options.make = [this](const std::string& name) { return Make(*options_.compared, name, ""); };
  options.log = log_;
  options.post = [this](Command command) { Post(std::move(command)); };
  options.wake = [bell = bell_] { bell->Ring(); };
  return std::make_unique<Contender>(std::move(options));
}

std::unique_ptr<Deployment> Supervisor::Make(const PipelineSource& source, const std::string& name,
                                             const std::string& resolved) {
  link::DeploymentOptions options;
  options.source = source;
  // Only what comes from no file runs elsewhere already.
  if (source.path.empty()) {
    options.remote = options_.workers;
    options.source.path = options_.workers[0].host;
  }
  options.resolved = resolved;
  options.name = name;
  options.step_limit_s = options_.step_limit_s;
  options.binary = options_.binary;
  options.folder = options_.folder;
  options.share_folder = share_folder_.path();
  options.log = log_;
  options.wake = [bell = bell_] { bell->Ring(); };
  return std::make_unique<Deployment>(std::move(options));
}

Result<void> Supervisor::StartAll() {
  std::vector<PipelineSource> sources = options_.pipelines;
  if (!options_.workers.empty()) sources.emplace_back();
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto& names = options_.model_names;
    places_.push_back({Make(sources[i], i < names.size() ? names[i] : "", ""), {}, ""});
    TENON_RETURN_IF_ERROR(places_.back().current->Start());
  }
  return {};
}

void Supervisor::Run(std::promise<Result<void>> started) {
  auto result = StartAll();
  const bool ok = result.ok();
  Show();
  started.set_value(std::move(result));
  while (ok) {
    Wait();
    std::vector<Command> commands;
    {
      const std::lock_guard lock(mutex_);
      commands.swap(commands_);
    }
    for (const Command& command : commands) command();
    TickAll();
    EndTrial();
    AdvanceChange();
    for (size_t i = 0; i < places_.size(); ++i) ReturnToBefore(i);
    DropOld();
    Show();
    link::RemoteClient::Sweep();
    if (!stop_by_) continue;
    int64_t open = 0;
    for (const Place& place : places_) open += place.current->OpenRequests();
    for (const Old& old : old_) open += old.deployment->OpenRequests();
    if (contender_ != nullptr) open += contender_->OpenRequests();
    if (open == 0 || Clock::now() >= *stop_by_) break;
  }
  EndAll();
}

void Supervisor::Wait() {
  std::vector<int> files = {bell_->file()};
  for (const Place& place : places_) place.current->Files(&files);
  for (const Old& old : old_) old.deployment->Files(&files);
  if (contender_ != nullptr) contender_->Files(&files);
  if (change_) {
    for (const auto& [place, next] : change_->next) next->Files(&files);
  }
  std::vector<pollfd> polled;
  for (const int file : files) polled.push_back({.fd = file, .events = POLLIN, .revents = 0});
  poll(polled.data(), polled.size(), kTickMs);
  bell_->Silence();
}

void Supervisor::TickAll() {
  const Clock::time_point now = Clock::now();
  if (now - last_tick_ > kLate) judge_from_ = now + kGrace;
  last_tick_ = now;
  const bool judge = now >= judge_from_;
  for (Place& place : places_) place.current->Tick(judge);
  for (Old& old : old_) old.deployment->Tick(judge);
  if (contender_ != nullptr) contender_->Tick(*places_[0].current, judge);
  if (!change_) return;
  for (auto& [place, next] : change_->next) next->Tick(judge);
}

void Supervisor::BeginChange(const std::string& path, std::promise<Result<void>> done) {
  if (change_) {
    return done.set_value(Error{Status::kInvalid, "another reload is under way; wait for its end"});
  }
  if (contender_ != nullptr && contender_->Phase() <= trial::TrialPhase::kRunning) {
    return done.set_value(Error{Status::kInvalid,
                                "two pipelines are compared; promote or roll back first, then "
                                "reload"});
  }
  Change change;
  std::vector<std::string> paths;
  const size_t own = options_.pipelines.size();
  for (size_t i = 0; i < places_.size(); ++i) {
    if (!places_[i].current->options().remote.empty()) continue;
    PipelineSource source = places_[i].current->options().source;
    paths.push_back(source.path);
    if (!path.empty() && own > 1 && path != source.path) continue;
    if (!path.empty()) source.path = path;
    change.next.emplace_back(i, Make(source, places_[i].current->options().name, ""));
  }
  if (change.next.empty()) {
    return done.set_value(Error{
        Status::kNotFound, fmt::format("{} is not served; {} are", path, fmt::join(paths, ", "))});
  }
  for (auto& [place, next] : change.next) {
    if (auto started = next->Start(); !started.ok()) return done.set_value(started.error());
  }
  change.done = std::move(done);
  change_ = std::move(change);
}

void Supervisor::AdvanceChange() {
  if (!change_) return;
  const auto all = [&](Deployment::Phase phase) {
    return std::all_of(change_->next.begin(), change_->next.end(),
                       [&](const auto& one) { return one.second->phase() == phase; });
  };
  for (const auto& [place, next] : change_->next) {
    if (next->phase() != Deployment::Phase::kBroken && !stop_by_) continue;
    const std::string why = stop_by_ ? "the server stops" : next->problem();
    change_->done.set_value(Error{Status::kInvalid, why});
    change_.reset();
    return;
  }
  if (!all(Deployment::Phase::kServing)) return;
  Change change = std::move(*change_);
  change_.reset();
  for (auto& [place, next] : change.next) {
    Replace(place, std::move(next), places_[place].current->model());
  }
  Show();
  change.done.set_value({});
}

// `served`: what requests found until now.
void Supervisor::Replace(size_t place, std::unique_ptr<Deployment> next,
                         std::weak_ptr<const openai::ServedModel> served) {
  std::unique_ptr<Deployment> last = std::exchange(places_[place].current, std::move(next));
  places_[place].before = last->options().source;
  places_[place].before_resolved = last->resolved();
  last->Retire();
  old_.push_back({std::move(last), std::move(served), Clock::now(), false});
}

void Supervisor::EndTrial() {
  if (contender_ == nullptr) return;
  auto outcome = contender_->TakeOutcome();
  if (!outcome) return;
  if (outcome->promoted) {
    outcome->b->Reinstate();
    return Replace(0, std::move(outcome->b), outcome->model);
  }
  old_.push_back({std::move(outcome->b), outcome->model, Clock::now(), false});
}

void Supervisor::ReturnToBefore(size_t index) {
  Place& place = places_[index];
  if (place.current->phase() != Deployment::Phase::kBroken || place.before_resolved.empty()) return;
  log_(fmt::format("{}: the pipeline before it returns", place.current->options().source.path));
  auto before =
      Make(place.before, place.current->options().name, std::exchange(place.before_resolved, ""));
  if (auto started = before->Start(); !started.ok()) {
    return log_(started.error().message);
  }
  old_.push_back({std::exchange(place.current, std::move(before)), {}, Clock::now(), false});
}

void Supervisor::DropOld() {
  std::erase_if(old_, [](Old& old) {
    const bool held = !old.model.expired() && Clock::now() - old.since < kHoldOld;
    const bool done = old.deployment->OpenRequests() == 0 && !held;
    if (done && !old.ending) {
      old.ending = true;
      old.since = Clock::now();
      old.deployment->End();
    }
    return old.ending &&
           (old.deployment->AllEnded() || Clock::now() - old.since > kHoldOld + kEndWithin);
  });
}

void Supervisor::Show() {
  std::vector<link::Directory::Entry> entries;
  for (const Place& place : places_) {
    const Deployment& current = *place.current;
    // One that served, or took the place of one that did, may come back: the server stays.
    const bool first = current.options().resolved.empty() && current.model() == nullptr;
    entries.push_back({current.options().source.path, current.model(), current.problem(),
                       current.phase() == Deployment::Phase::kBroken && first});
  }
  if (contender_ != nullptr && !entries.empty()) {
    if (auto model = contender_->model(); model != nullptr) entries[0].model = std::move(model);
    if (auto entry = contender_->Entry()) entries.push_back(*std::move(entry));
  }
  directory_.Show(std::move(entries));
}

void Supervisor::EndAll() {
  if (change_) change_->done.set_value(Error{Status::kCancelled, "the server stops"});
  change_.reset();
  for (Place& place : places_) place.current->End();
  for (Old& old : old_) old.deployment->End();
  if (contender_ != nullptr) contender_->End();
  const Clock::time_point by = Clock::now() + kEndWithin;
  const auto ended = [&] {
    return std::all_of(places_.begin(), places_.end(),
                       [](Place& place) { return place.current->AllEnded(); }) &&
           std::all_of(old_.begin(), old_.end(),
                       [](Old& old) { return old.deployment->AllEnded(); }) &&
           (contender_ == nullptr || contender_->AllEnded());
  };
  while (!ended() && Clock::now() < by) {
    Wait();
    TickAll();
  }
  places_.clear();
  old_.clear();
  link::RemoteClient::Sweep();
  const std::lock_guard lock(mutex_);
  over_ = true;
  commands_.clear();
}

void Supervisor::Post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    commands_.push_back(std::move(command));
  }
  bell_->Ring();
}

Result<void> Supervisor::Reload(const std::string& path) {
  auto done = std::make_shared<std::promise<Result<void>>>();
  auto result = done->get_future();
  Post([this, path, done] { BeginChange(path, std::move(*done)); });
  done.reset();
  // A promise that nobody keeps: the fleet stops.
  try {
    return result.get();
  } catch (const std::future_error&) {
    return Error{Status::kCancelled, "the server stops"};
  }
}

void Supervisor::Stop(double seconds) {
  directory_.ShowDraining();
  const auto by = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(std::max(seconds, 0.0)));
  Post([this, by] {
    stop_by_ = by;
    if (contender_ != nullptr) contender_->Stop();
  });
  if (!thread_.joinable()) return;
  thread_.join();
  std::error_code ignored;
  std::filesystem::remove_all(options_.folder, ignored);
}

}  // namespace

Result<std::unique_ptr<Fleet>> Fleet::Start(const FleetOptions& options,
                                            const FleetEvents& events) {
  auto fleet = std::make_unique<Supervisor>(options, events);
  TENON_RETURN_IF_ERROR(fleet->Begin());
  return std::unique_ptr<Fleet>(std::move(fleet));
}

}  // namespace tenon::apps
