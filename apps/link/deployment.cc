// SPDX-License-Identifier: Apache-2.0
#include "apps/link/deployment.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "apps/assemble/open_model.h"
#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

// With the fleet's ticks this holds the promise of 2 s.
constexpr auto kStopped = std::chrono::milliseconds(1700);
// Who is silent and was not stopped may only be waiting for a processor.
constexpr double kDeadS = 5;
constexpr auto kLookAgain = std::chrono::seconds(1);
constexpr auto kListenWithin = std::chrono::seconds(10);
// A process that dies closes its socket before it can be reaped.
constexpr auto kDieWithin = std::chrono::milliseconds(500);
// For its threads to tell where they are.
constexpr auto kTellWithin = std::chrono::milliseconds(300);
constexpr size_t kMostDeaths = 3;
constexpr auto kDeathsWithin = std::chrono::minutes(1);

std::string FreshName(const DeploymentOptions& options, const char* ending) {
  static std::atomic<int> next = 0;
  return fmt::format("{}/{}{}", options.folder, next++, ending);
}

Result<std::string> WriteSnapshot(const DeploymentOptions& options, const std::string& text) {
  std::string path = FreshName(options, ".yaml");
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) return Error{Status::kIo, path + ": cannot be written"};
  return path;
}

Result<std::shared_ptr<const openai::ModelText>> LoadText(const std::string& model_path) {
  auto opened = OpenModel(model_path);
  TENON_RETURN_IF_ERROR(opened);
  OpenedModel& model = **opened;
  if (!model.tokenizer) {
    return Error{Status::kUnsupported,
                 fmt::format("{}: no usable tokenizer ({}), which serving needs", model_path,
                             model.tokenizer_problem)};
  }
  auto text = std::make_shared<openai::ModelText>(openai::ModelText{
      std::move(*model.tokenizer), std::move(model.chat_template), std::move(model.more_eos)});
  const auto ends = text->tokenizer.EndOfGeneration();
  text->end_of_generation.insert(text->end_of_generation.begin(), ends.begin(), ends.end());
  return std::shared_ptr<const openai::ModelText>(std::move(text));
}

}  // namespace

Deployment::Deployment(DeploymentOptions options)
    : options_(std::move(options)), start_from_(options_.source) {}

Result<void> Deployment::Start() {
  places_.resize(std::max<size_t>(options_.remote.size(), 1));
  if (!options_.remote.empty()) return {};
  if (!options_.resolved.empty()) {
    auto path = WriteSnapshot(options_, options_.resolved);
    TENON_RETURN_IF_ERROR(path);
    start_from_ = {*path, {}, options_.source.plugin_dirs};
  }
  return Spawn(places_[0]);
}

Result<void> Deployment::Spawn(Place& place) {
  place = Place();
  place.started = Clock::now();
  auto process = WorkerProcess::Start({.binary = options_.binary,
                                       .pipeline = start_from_,
                                       .share_folder = options_.share_folder,
                                       .socket = FreshName(options_, ".sock")});
  TENON_RETURN_IF_ERROR(process);
  place.process = std::move(*process);
  return {};
}

void Deployment::Tick(bool judge) {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (i < options_.remote.size()) {
      WatchRemote(i, judge);
    } else if (places_[i].process != nullptr) {
      Watch(i, judge);
    }
  }
  if (phase_ == Phase::kLoading) FinishLoading();
}

void Deployment::Watch(size_t index, bool judge) {
  Place& place = places_[index];
  if (place.client == nullptr && !ending_ && place.process->Listens()) {
    auto client = RemoteClient::Connect({.socket = place.process->socket(), .host = "", .tls = {}},
                                        options_.wake);
    if (client.ok()) place.client = std::move(*client);
  }
  if (!ending_) Judge(place, judge);
  if (place.process->Ended()) return Bury(index);
  if (place.client != nullptr && !place.joined && place.client->Link().serving) Join(index);
}

// Another machine's process is not ours to end or to start: its link is made anew.
void Deployment::WatchRemote(size_t index, bool judge) {
  Place& place = places_[index];
  if (place.client == nullptr) {
    if (ending_ || Clock::now() - place.started < kLookAgain) return;
    place.started = Clock::now();
    auto client = RemoteClient::Connect(options_.remote[index], options_.wake);
    if (client.ok()) {
      place.client = std::move(*client);
    } else if (phase_ == Phase::kLoading) {
      Break(client.error().message);
    } else if (std::exchange(place.refused, client.error().message) != client.error().message) {
      options_.log(place.refused);
    }
    return;
  }
  const LinkState link = place.client->Link();
  if (!link.lost.empty() || (judge && link.silence_s > kDeadS)) {
    if (place.joined) options_.log(fmt::format("worker {} is lost", options_.remote[index].host));
    place.client->Break("the engine was lost");
    if (group_ != nullptr) group_->Set(index, nullptr);
    place.client.reset();
    place.joined = false;
  } else if (!place.joined && link.serving) {
    Join(index);
  }
}

// Kills what does not answer, once it had time to tell where it is. What died by itself is none of
// its business.
void Deployment::Judge(Place& place, bool judge) {
  if (place.process->Ended()) return;
  const Clock::time_point now = Clock::now();
  if (place.killed.empty()) {
    place.killed = WhyKill(place, judge);
    if (place.killed.empty()) return;
    place.kill_at = now;
    if (!place.process->Stopped()) {
      place.process->AskWhere();
      place.kill_at += kTellWithin;
    }
  }
  if (now >= place.kill_at) place.process->Signal(SIGKILL);
}

std::string Deployment::WhyKill(Place& place, bool judge) const {
  const Clock::time_point now = Clock::now();
  if (place.client == nullptr) {
    return judge && now - place.started > kListenWithin ? "did not start" : "";
  }
  const LinkState link = place.client->Link();
  if (!link.lost.empty()) {
    if (place.lost == Clock::time_point()) place.lost = now;
    return now - place.lost > kDieWithin ? "broke its link" : "";
  }
  // That it is stopped is so however late this thread is.
  if (!place.process->Stopped()) {
    place.stopped = Clock::time_point();
  } else if (place.stopped == Clock::time_point()) {
    place.stopped = now;
  }
  const bool stopped = place.stopped != Clock::time_point() && now - place.stopped > kStopped;
  if (stopped || (judge && link.silence_s > kDeadS)) {
    return fmt::format("was silent for {:.1f} s", link.silence_s);
  }
  if (place.client->State().step_age_s <= options_.step_limit_s) return "";
  return fmt::format("completed no step for {} s", options_.step_limit_s);
}

void Deployment::Join(size_t index) {
  const std::shared_ptr<RemoteClient> client = places_[index].client;
  places_[index].joined = true;
  if (group_ == nullptr) Found(*client);
  group_->Set(index, client);
}

// The first worker says what the engine is.
void Deployment::Found(const RemoteClient& worker) {
  std::error_code ignored;
  EngineFacts facts = worker.Facts();
  if (!options_.remote.empty()) facts.workers = static_cast<int32_t>(options_.remote.size());
  facts.pipeline = options_.source.path;
  group_ = std::make_shared<WorkerGroup>(facts, static_cast<size_t>(facts.workers));
  // Another machine's path may mean nothing here; a known model's name does.
  const bool here = std::filesystem::exists(facts.model_path, ignored);
  text_ = std::async(std::launch::async,
                     [path = here ? facts.model_path : facts.model, wake = options_.wake] {
                       auto text = LoadText(path);
                       wake();
                       return text;
                     });
  identity_ = worker.Identity();
  if (!options_.remote.empty()) return;
  if (auto path = WriteSnapshot(options_, identity_.resolved); path.ok()) {
    start_from_ = {*path, {}, options_.source.plugin_dirs};
  } else {
    options_.log(path.error().message);
  }
  places_.resize(static_cast<size_t>(facts.workers));
  for (size_t i = 1; i < places_.size(); ++i) {
    if (auto spawned = Spawn(places_[i]); !spawned.ok()) Break(spawned.error().message);
  }
}

// A worker has ended: its requests hear of it, and another takes its place.
void Deployment::Bury(size_t index) {
  Place& place = places_[index];
  if (place.client != nullptr) place.client->Break("the engine was lost");
  if (group_ != nullptr) group_->Set(index, nullptr);
  std::string death = place.process->Death();
  if (!place.killed.empty()) {
    const std::string where = place.process->Where();
    death = fmt::format("worker {} {}{} and was killed", place.process->pid(), place.killed,
                        where.empty() ? "" : ", in " + where + ",");
  }
  const std::string load_error = place.process->LoadError();
  place = Place();
  if (ending_) return;
  last_death_ = death;
  options_.log(fmt::format("{}: {}", options_.source.path, death));
  if (retired_) return;
  if (model_ == nullptr && !load_error.empty()) return Break(load_error);
  const Clock::time_point now = Clock::now();
  deaths_.push_back(now);
  while (now - deaths_.front() > kDeathsWithin) deaths_.pop_front();
  if (deaths_.size() >= kMostDeaths) {
    return Break(fmt::format("quarantined: {} workers died within a minute, the last: {}",
                             kMostDeaths, death));
  }
  if (auto spawned = Spawn(place); !spawned.ok()) Break(spawned.error().message);
}

void Deployment::FinishLoading() {
  if (!text_.valid() || text_.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    return;
  Text text = text_.get();
  if (!text.ok()) return Break(text.error().message);
  openai::ServedModel model;
  model.facts = group_->Facts();
  model.identity = identity_;
  model.name = options_.name.empty() ? model.facts.model : options_.name;
  model.created = static_cast<int64_t>(std::time(nullptr));
  model.text = std::move(*text);
  model.engine = group_;
  model_ = std::make_shared<const openai::ServedModel>(std::move(model));
  phase_ = Phase::kServing;
}

void Deployment::Break(const std::string& problem) {
  if (phase_ == Phase::kBroken) return;
  if (phase_ == Phase::kServing) {
    options_.log(fmt::format("{}: {}", options_.source.path, problem));
  }
  phase_ = Phase::kBroken;
  problem_ = problem;
  End();
  for (Place& place : places_) {
    if (place.process != nullptr) place.process->Signal(SIGKILL);
  }
}

void Deployment::End() {
  ending_ = true;
  for (Place& place : places_) {
    if (place.process != nullptr) {
      place.process->Signal(SIGTERM);
    } else {
      place.client.reset();
    }
  }
}

bool Deployment::AllEnded() {
  for (Place& place : places_) {
    if (place.process != nullptr && !place.process->Ended()) return false;
  }
  return true;
}

void Deployment::Files(std::vector<int>* out) const {
  for (const Place& place : places_) {
    if (place.process == nullptr) continue;
    out->push_back(place.process->EndFile());
    if (place.process->ReportFile() >= 0) out->push_back(place.process->ReportFile());
  }
}

}  // namespace tenon::apps::link
