// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/common/simulator.h"

#include <algorithm>
#include <random>
#include <set>

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {
namespace {

const SequenceState* Find(Span<const SequenceState> list, uint64_t id) {
  for (const SequenceState& s : list) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

bool CanEverFit(const SchedulerView& view, const SequenceState& s) {
  return BlocksNeeded(s, KnownLeft(s), view.block_tokens) + s.blocks <= view.total_blocks;
}

std::string At(const char* what, uint64_t id) { return what + std::to_string(id); }

std::string CheckGrants(const SchedulerView& view, Limits bound, const PlayedStep& step) {
  std::set<uint64_t> ids;
  int64_t tokens = 0, need = 0, free = view.free_blocks;
  size_t batch = view.running.size;
  for (uint64_t id : step.preempted) {
    const SequenceState* s = Find(view.running, id);
    if (s == nullptr) return At("preempted but not running: ", id);
    if (!ids.insert(id).second) return At("preempted twice: ", id);
    if (s->preemptions >= kMostPreemptions) return At("preempted too often: ", id);
    free += s->blocks - s->shared_blocks;
    --batch;
  }
  for (const Grant& grant : step.grants) {
    const SequenceState* s = Find(view.running, grant.id);
    if (s == nullptr) {
      s = Find(view.waiting, grant.id);
      ++batch;
    }
    if (s == nullptr) return At("granted but unknown: ", grant.id);
    if (!ids.insert(grant.id).second) return At("granted twice, or preempted too: ", grant.id);
    if (grant.tokens < 1) return At("granted nothing: ", grant.id);
    if (grant.tokens > KnownLeft(*s) + s->draft_tokens) return At("granted too much: ", grant.id);
    tokens += grant.tokens;
    need += BlocksNeeded(*s, grant.tokens, view.block_tokens);
  }
  if (tokens > bound.batch_tokens) return "more tokens than a step holds";
  if (step.grants.size() > static_cast<size_t>(bound.sequences)) return "too many sequences";
  if (batch > std::max<size_t>(bound.sequences, view.running.size)) return "admitted too many";
  if (need > free) return "more blocks than are free";
  return "";
}

std::string CheckProgress(const SchedulerView& view, const PlayedStep& step) {
  if (!step.grants.empty() || step.wait_us > 0) return "";
  for (const SequenceState& s : view.running) {
    if (KnownLeft(s) > 0 && CanEverFit(view, s)) return At("nobody runs, but could: ", s.id);
  }
  for (const SequenceState& s : view.waiting) {
    if (BlocksNeeded(s, KnownLeft(s), view.block_tokens) <= view.free_blocks) {
      return At("nobody runs, but waiting could: ", s.id);
    }
  }
  return "";
}

// Nobody overtakes one of the same or a higher priority that came before, unless he waited long.
std::string CheckOrder(const SchedulerView& view, const PlayedStep& step) {
  for (uint64_t i = 0; i < view.waiting.size; ++i) {
    const SequenceState& late = view.waiting[i];
    const auto is_late = [&](const Grant& grant) { return grant.id == late.id; };
    if (std::none_of(step.grants.begin(), step.grants.end(), is_late)) continue;
    if (view.now_us - std::max(late.since_us, late.arrival_us) >= kLongWait) continue;
    for (uint64_t j = 0; j < view.waiting.size; ++j) {
      const SequenceState& other = view.waiting[j];
      const bool before =
          other.priority > late.priority || (other.priority == late.priority && j < i);
      const auto is_other = [&](const Grant& grant) { return grant.id == other.id; };
      if (before && CanEverFit(view, other) &&
          std::none_of(step.grants.begin(), step.grants.end(), is_other)) {
        return At("overtaken: ", other.id);
      }
    }
  }
  return "";
}

Status Call(Scheduler& scheduler, const SchedulerView& view, PlayedStep* step) {
  step->grants.assign(view.waiting.size + view.running.size, {~uint64_t{0}, -1});
  step->preempted.assign(view.running.size, ~uint64_t{0});
  SchedulePlan plan = {step->grants.data(), 99, step->preempted.data(), 99, 99};
  const Status status = scheduler.Schedule(view, &plan);
  step->grants.resize(plan.grant_count);
  step->preempted.resize(plan.preempted_count);
  step->wait_us = plan.wait_us;
  return status;
}

// The engine's part: sequences, their blocks and the clock.
class Engine {
 public:
  Engine(const Pool& pool, const std::vector<Request>& requests, uint64_t seed)
      : pool_(pool), requests_(requests), random_(seed), free_(pool.total_blocks) {
    for (size_t i = 0; i < requests.size(); ++i) order_.push_back(i);
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
      return requests_[a].arrival_us < requests_[b].arrival_us;
    });
  }

  bool Done() const { return arrived_ == order_.size() && waiting_.empty() && running_.empty(); }

  SchedulerView View() {
    while (arrived_ < order_.size() && requests_[order_[arrived_]].arrival_us <= now_us_) {
      const size_t id = order_[arrived_++];
      const Request& r = requests_[id];
      waiting_.push_back({id, r.arrival_us, r.priority, r.prompt_tokens, 0, 0, 0, 0, 0,
                          r.prompt_tokens + r.output_tokens, r.arrival_us});
    }
    return {now_us_,
            {waiting_.data(), waiting_.size()},
            {running_.data(), running_.size()},
            free_,
            pool_.total_blocks,
            pool_.block_tokens,
            pool_.max_batch_tokens,
            pool_.max_sequences};
  }

  // Returns what is wrong, if anything.
  std::string Apply(const PlayedStep& step, std::vector<int64_t>* finished_us) {
    for (uint64_t id : step.preempted) SendBack(id);
    std::stable_sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
      if ((a.preemptions > 0) != (b.preemptions > 0)) return a.preemptions > 0;
      return a.arrival_us < b.arrival_us;
    });
    if (step.grants.empty()) return Idle(step.wait_us);
    int64_t tokens = 0;
    for (const Grant& grant : step.grants) {
      tokens += grant.tokens;
      Compute(Running(grant.id), grant.tokens);
    }
    now_us_ += pool_.step_us + 10 * tokens;
    for (size_t i = running_.size(); i-- > 0;) {
      const SequenceState& s = running_[i];
      if (Generated(s) < requests_[s.id].output_tokens) continue;
      (*finished_us)[s.id] = now_us_;
      free_ += s.blocks;
      running_.erase(running_.begin() + i);
    }
    return free_ < 0 ? "the pool was overdrawn" : "";
  }

 private:
  int32_t Generated(const SequenceState& s) const {
    return s.known_tokens - requests_[s.id].prompt_tokens;
  }

  std::string Idle(int64_t wait_us) {
    const int64_t next =
        arrived_ < order_.size() ? requests_[order_[arrived_]].arrival_us : INT64_MAX;
    if (wait_us <= 0 && next == INT64_MAX) return "stuck: nobody runs and nobody will come";
    now_us_ = wait_us > 0 ? std::min(next, now_us_ + wait_us) : next;
    return "";
  }

  void SendBack(uint64_t id) {
    for (size_t i = 0; i < running_.size(); ++i) {
      if (running_[i].id != id) continue;
      SequenceState s = running_[i];
      running_.erase(running_.begin() + i);
      free_ += s.blocks;
      s.blocks = s.computed_tokens = s.draft_tokens = 0;
      ++s.preemptions;
      s.since_us = now_us_;
      waiting_.push_back(s);
      return;
    }
  }

  SequenceState& Running(uint64_t id) {
    for (SequenceState& s : running_) {
      if (s.id == id) return s;
    }
    for (size_t i = 0; i < waiting_.size(); ++i) {
      if (waiting_[i].id != id) continue;
      running_.push_back(waiting_[i]);
      running_.back().since_us = now_us_;
      waiting_.erase(waiting_.begin() + i);
      break;
    }
    return running_.back();
  }

  void Compute(SequenceState& s, int32_t tokens) {
    const int32_t blocks = BlocksNeeded(s, tokens, pool_.block_tokens);
    s.blocks += blocks;
    free_ -= blocks;
    const Request& request = requests_[s.id];
    const int32_t drafts = tokens - KnownLeft(s);
    if (drafts < 0) {
      s.computed_tokens += tokens;
      return;
    }
    const int32_t accepted = Random(drafts);
    s.computed_tokens = s.known_tokens + accepted;
    s.known_tokens += accepted + 1;
    const int32_t left = request.output_tokens - Generated(s);
    s.draft_tokens = Random(std::clamp(left - 1, 0, request.drafts));
  }

  int32_t Random(int32_t most) { return static_cast<int32_t>(random_() % (uint64_t(most) + 1)); }

  const Pool pool_;
  const std::vector<Request>& requests_;
  std::mt19937_64 random_;
  std::vector<size_t> order_;
  size_t arrived_ = 0;
  int64_t now_us_ = 0;
  int32_t free_;
  std::vector<SequenceState> waiting_, running_;
};

}  // namespace

int32_t Play::preemptions() const {
  size_t sum = 0;
  for (const PlayedStep& step : steps) sum += step.preempted.size();
  return static_cast<int32_t>(sum);
}

int64_t Play::longest_wait_us() const {
  int64_t longest = 0;
  for (const PlayedStep& step : steps) {
    if (step.running.empty()) continue;
    for (const SequenceState& s : step.waiting) {
      longest = std::max(longest, step.now_us - s.since_us);
    }
  }
  return longest;
}

std::string CallOnce(Scheduler& scheduler, const SchedulerView& view, Limits limits,
                     PlayedStep* step) {
  *step = {view.now_us,
           {view.waiting.begin(), view.waiting.end()},
           {view.running.begin(), view.running.end()},
           view.free_blocks,
           {},
           {},
           0};
  if (Call(scheduler, view, step) != Status::kOk) return "Schedule failed";
  PlayedStep again;
  if (Call(scheduler, view, &again) != Status::kOk) return "the second Schedule failed";
  const auto same = [](const Grant& a, const Grant& b) {
    return a.id == b.id && a.tokens == b.tokens;
  };
  if (!std::equal(step->grants.begin(), step->grants.end(), again.grants.begin(),
                  again.grants.end(), same) ||
      step->preempted != again.preempted || step->wait_us != again.wait_us) {
    return "the same view gave another plan";
  }
  for (const auto& check : {CheckGrants(view, limits.Within(view), *step),
                            CheckProgress(view, *step), CheckOrder(view, *step)}) {
    if (!check.empty()) return check;
  }
  return "";
}

Play PlayAll(Scheduler& scheduler, const Pool& pool, Limits limits,
             const std::vector<Request>& requests, uint64_t seed) {
  constexpr size_t kMostSteps = 200000;
  Play play;
  play.finished_us.assign(requests.size(), -1);
  Engine engine(pool, requests, seed);
  while (!engine.Done()) {
    PlayedStep step;
    play.violation = CallOnce(scheduler, engine.View(), limits, &step);
    if (play.violation.empty()) play.violation = engine.Apply(step, &play.finished_us);
    play.steps.push_back(std::move(step));
    if (!play.violation.empty()) break;
    if (play.steps.size() > kMostSteps) {
      play.violation = "does not end";
      break;
    }
  }
  return play;
}

std::vector<Request> RandomRequests(const Pool& pool, int32_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto up_to = [&](int64_t most) { return static_cast<int32_t>(random() % (most + 1)); };
  const int64_t slots = std::min<int64_t>(int64_t{pool.total_blocks} * pool.block_tokens, 2000);
  // A layout of one block a sequence holds no sequence longer than a block.
  const int64_t longest =
      pool.block_tokens >= 512 ? std::min<int64_t>(slots, pool.block_tokens) : slots;
  std::vector<Request> requests;
  int64_t arrival_us = 0;
  for (int32_t i = 0; i < count; ++i) {
    Request r;
    if (up_to(3) == 0) arrival_us += up_to(40000);
    r.arrival_us = arrival_us;
    const int64_t most = up_to(4) == 0 ? longest : std::max<int64_t>(longest / 8, 2);
    r.prompt_tokens = 1 + up_to(most - 2);
    r.output_tokens = 1 + up_to(std::min<int64_t>(most - r.prompt_tokens - 1, 60));
    r.priority = up_to(5) == 0 ? up_to(4) - 2 : 0;
    r.drafts = up_to(2) == 0 ? up_to(6) : 0;
    requests.push_back(r);
  }
  return requests;
}

std::string PlayMany(Scheduler& scheduler, Limits limits, int32_t* preemptions) {
  const Pool pools[] = {
      {400, 16, 1 << 20, 1 << 20},  // ample
      {40, 16, 1 << 20, 1 << 20},   // tight
      {6, 4, 1 << 20, 1 << 20},     // hardly anything
      {30, 1, 64, 1 << 20},         // a block a token
      {4, 512, 1 << 20, 1 << 20},   // one block a sequence
      {40, 16, 7, 3},               // a tiny step
      {40, 16, 1, 1},               // one token a step
  };
  *preemptions = 0;
  for (const Pool& pool : pools) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      const Play play = PlayAll(scheduler, pool, limits, RandomRequests(pool, 25, seed), seed);
      *preemptions += play.preemptions();
      if (play.violation.empty()) continue;
      return play.violation + " (pool of " + std::to_string(pool.total_blocks) + " blocks, seed " +
             std::to_string(seed) + ", step " + std::to_string(play.steps.size()) + ")";
    }
  }
  return "";
}

int64_t LongestWaitUnderPressure(Scheduler& scheduler, std::string* violation) {
  Pool pool = {400, 16, 512, 64};
  pool.step_us = 50000;
  std::vector<Request> places;  // some that run for a minute, one of them with a large prompt
  for (int32_t i = 0; i < 8; ++i) places.push_back({i * 1000, 20, 1000});
  places.push_back({20000, 1500, 20});
  std::vector<Request> stream;  // always somebody of a higher priority
  stream.push_back({0, 30, 5, -1});
  for (int32_t i = 0; i < 3000; ++i) stream.push_back({i * 100000, 20, 15, 1});
  std::vector<Request> blocks;  // small ones that never leave the blocks for a large one
  for (int32_t i = 0; i < 300; ++i) blocks.push_back({i * 1100000, 1200, 20, 1});
  blocks.push_back({1000, 5000, 5, 0});
  int64_t longest = 0;
  for (const auto* requests : {&places, &stream, &blocks}) {
    const Play play = PlayAll(scheduler, pool, {64, 4}, *requests, 1);
    if (violation->empty()) *violation = play.violation;
    for (const PlayedStep& step : play.steps) {
      if (step.running.empty()) continue;
      for (const SequenceState& s : step.waiting) {
        // Those that the promise is about: the rest only fill the queue.
        if (requests != &places && s.priority > 0) continue;
        longest = std::max(longest, step.now_us - s.since_us);
      }
    }
  }
  return longest;
}

}  // namespace tenon::scheduler
