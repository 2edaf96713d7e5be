// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/simulation.h"

#include <algorithm>
#include <random>
#include <set>

#include "tenon/testing/verdict.h"

namespace tenon::testing {
namespace {

constexpr int64_t kMostSteps = 50000;

struct Decision {
  Status status;
  std::vector<Grant> grants;
  std::vector<uint64_t> preempted;
  int64_t wait_us;

  bool operator==(const Decision& other) const {
    const auto same = [](const Grant& a, const Grant& b) {
      return a.id == b.id && a.tokens == b.tokens;
    };
    return std::equal(grants.begin(), grants.end(), other.grants.begin(), other.grants.end(),
                      same) &&
           preempted == other.preempted && wait_us == other.wait_us;
  }
};

const SequenceState* Find(Span<const SequenceState> list, uint64_t id) {
  for (const SequenceState& s : list) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

int32_t Left(const SequenceState& s) { return s.known_tokens - s.computed_tokens; }

unsigned long long Id(uint64_t id) { return id; }

Decision Ask(Scheduler& scheduler, const SchedulerView& view, std::string* wrong) {
  Decision out;
  out.grants.assign(view.waiting.size + view.running.size + 1, {~uint64_t{0}, -1});
  out.preempted.assign(view.running.size + 1, ~uint64_t{0});
  SchedulePlan plan = {out.grants.data(), 0, out.preempted.data(), 0, -1};
  out.status = scheduler.Schedule(view, &plan);
  if (plan.grant_count >= out.grants.size() || plan.preempted_count >= out.preempted.size()) {
    *wrong = Text("says %u grants and %u preempted of %zu sequences", plan.grant_count,
                  plan.preempted_count, out.grants.size() - 1);
    plan.grant_count = plan.preempted_count = 0;
  }
  out.grants.resize(plan.grant_count);
  out.preempted.resize(plan.preempted_count);
  out.wait_us = plan.wait_us;
  return out;
}

// Names that exist, once each, with as many tokens as there are to compute.
std::string CheckNames(const SchedulerView& view, const Decision& decision) {
  std::set<uint64_t> seen;
  for (const uint64_t id : decision.preempted) {
    if (Find(view.running, id) == nullptr) return Text("preempted, but not running: %llu", Id(id));
    if (!seen.insert(id).second) return Text("preempted twice: %llu", Id(id));
    if (Find(view.running, id)->preemptions >= kMostPreemptions) {
      return Text("preempted more than %d times: %llu", kMostPreemptions, Id(id));
    }
  }
  for (const Grant& grant : decision.grants) {
    const SequenceState* s = Find(view.running, grant.id);
    if (s == nullptr) s = Find(view.waiting, grant.id);
    if (s == nullptr) return Text("granted, but unknown: %llu", Id(grant.id));
    if (!seen.insert(grant.id).second) {
      return Text("granted twice, or preempted as well: %llu", Id(grant.id));
    }
    if (grant.tokens < 1 || grant.tokens > Left(*s) + s->draft_tokens) {
      return Text("granted %d tokens; 1 to %d are left to compute", grant.tokens,
                  Left(*s) + s->draft_tokens);
    }
  }
  return "";
}

std::string CheckBudget(const SchedulerView& view, const SimulatedPool& limits,
                        const Decision& decision) {
  int64_t tokens = 0;
  for (const Grant& grant : decision.grants) tokens += grant.tokens;
  const int32_t most = std::min(view.max_batch_tokens, limits.max_batch_tokens);
  const int32_t sequences = std::min(view.max_sequences, limits.max_sequences);
  if (tokens > most) {
    return Text("%lld tokens in a step; %d allowed", static_cast<long long>(tokens), most);
  }
  if (decision.grants.size() > static_cast<size_t>(sequences)) {
    return Text("%zu sequences in a step; %d allowed", decision.grants.size(), sequences);
  }
  return "";
}

std::string CheckBlocks(const SchedulerView& view, const Decision& decision) {
  int64_t free = view.free_blocks, need = 0;
  for (const uint64_t id : decision.preempted) {
    const SequenceState* s = Find(view.running, id);
    if (s != nullptr) free += s->blocks - s->shared_blocks;
  }
  for (const Grant& grant : decision.grants) {
    const SequenceState* s = Find(view.running, grant.id);
    if (s == nullptr) s = Find(view.waiting, grant.id);
    if (s != nullptr) need += BlocksNeeded(*s, grant.tokens, view.block_tokens);
  }
  if (need <= free) return "";
  return Text("the grants need %lld KV blocks; %lld are free", static_cast<long long>(need),
              static_cast<long long>(free));
}

std::string CheckIdle(const SchedulerView& view, const Decision& decision) {
  if (!decision.grants.empty() || decision.wait_us > 0) return "";
  for (const Span<const SequenceState>& list : {view.running, view.waiting}) {
    for (const SequenceState& s : list) {
      if (Left(s) > 0 && BlocksNeeded(s, Left(s), view.block_tokens) <= view.free_blocks) {
        return Text("nobody runs, and it would not wait; %llu could", Id(s.id));
      }
    }
  }
  return "";
}

// The engine's part: sequences, their blocks and the clock.
class Play {
 public:
  Play(const SimulatedPool& pool, const std::vector<SimulatedRequest>& requests, uint64_t seed)
      : pool_(pool), requests_(requests), random_(seed), free_(pool.total_blocks) {}

  bool Done() const { return arrived_ == requests_.size() && waiting_.empty() && running_.empty(); }

  SchedulerView View() {
    for (; arrived_ < requests_.size() && requests_[arrived_].arrival_us <= now_us_; ++arrived_) {
      const SimulatedRequest& r = requests_[arrived_];
      waiting_.push_back({arrived_, r.arrival_us, r.priority, r.prompt_tokens, 0, 0, 0, 0, 0,
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

  // False where nobody runs and nobody will come.
  bool Apply(const Decision& decision) {
    for (const uint64_t id : decision.preempted) SendBack(id);
    std::stable_sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
      if ((a.preemptions > 0) != (b.preemptions > 0)) return a.preemptions > 0;
      return a.arrival_us < b.arrival_us;
    });
    if (decision.grants.empty()) return Idle(decision.wait_us);
    int64_t tokens = 0;
    for (const Grant& grant : decision.grants) {
      tokens += grant.tokens;
      Compute(Admitted(grant.id), grant.tokens);
    }
    now_us_ += 1000 + 10 * tokens;
    for (size_t i = running_.size(); i-- > 0;) {
      const SequenceState& s = running_[i];
      const SimulatedRequest& r = requests_[s.id];
      if (s.known_tokens - r.prompt_tokens < r.output_tokens) continue;
      free_ += s.blocks;
      running_.erase(running_.begin() + static_cast<int64_t>(i));
    }
    return true;
  }

 private:
  bool Idle(int64_t wait_us) {
    const bool more = arrived_ < requests_.size();
    if (wait_us <= 0 && !more) return false;
    const int64_t next = more ? requests_[arrived_].arrival_us : INT64_MAX;
    now_us_ = wait_us > 0 ? std::min(next, now_us_ + wait_us) : next;
    return true;
  }

  void SendBack(uint64_t id) {
    const auto at = std::find_if(running_.begin(), running_.end(),
                                 [&](const SequenceState& s) { return s.id == id; });
    SequenceState s = *at;
    running_.erase(at);
    free_ += s.blocks;
    s.blocks = s.computed_tokens = s.draft_tokens = 0;
    ++s.preemptions;
    s.since_us = now_us_;
    waiting_.push_back(s);
  }

  SequenceState& Admitted(uint64_t id) {
    for (SequenceState& s : running_) {
      if (s.id == id) return s;
    }
    const auto at = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](const SequenceState& s) { return s.id == id; });
    running_.push_back(*at);
    running_.back().since_us = now_us_;
    waiting_.erase(at);
    return running_.back();
  }

  void Compute(SequenceState& s, int32_t tokens) {
    const int32_t blocks = BlocksNeeded(s, tokens, pool_.block_tokens);
    s.blocks += blocks;
    free_ -= blocks;
    const int32_t drafts = tokens - Left(s);
    if (drafts < 0) {
      s.computed_tokens += tokens;
      return;
    }
    const int32_t accepted = UpTo(drafts);
    s.computed_tokens = s.known_tokens + accepted;
    s.known_tokens += accepted + 1;
    const SimulatedRequest& r = requests_[s.id];
    const int32_t left = r.output_tokens - (s.known_tokens - r.prompt_tokens);
    s.draft_tokens = UpTo(std::clamp(left - 1, 0, r.drafts));
  }

  int32_t UpTo(int32_t most) {
    return static_cast<int32_t>(random_() % (static_cast<uint64_t>(most) + 1));
  }

  const SimulatedPool pool_;
  const std::vector<SimulatedRequest>& requests_;
  std::mt19937_64 random_;
  int32_t free_;
  size_t arrived_ = 0;
  int64_t now_us_ = 0;
  std::vector<SequenceState> waiting_, running_;
};

}  // namespace

SimulationEnd Simulate(Scheduler& scheduler, const SimulatedPool& pool, const SimulatedPool& limits,
                       const std::vector<SimulatedRequest>& requests, uint64_t seed) {
  SimulationEnd end;
  Play play(pool, requests, seed);
  const auto broken = [&](Rule rule, std::string what) {
    if (end.broken != Rule::kNone || what.empty()) return;
    end.broken = rule;
    end.what = Text("step %lld: ", static_cast<long long>(end.steps)) + what;
  };
  while (!play.Done() && end.broken == Rule::kNone) {
    const SchedulerView view = play.View();
    std::string wrong;
    const Decision decision = Ask(scheduler, view, &wrong);
    const Decision again = Ask(scheduler, view, &wrong);
    if (decision.status != Status::kOk) wrong = "Schedule failed";
    broken(Rule::kPlan, wrong.empty() ? CheckNames(view, decision) : wrong);
    broken(Rule::kBudget, CheckBudget(view, limits, decision));
    broken(Rule::kBlocks, CheckBlocks(view, decision));
    broken(Rule::kPure, decision == again ? "" : "the same view gave another plan");
    broken(Rule::kStarve, CheckIdle(view, decision));
    if (end.broken != Rule::kNone) break;
    for (const Grant& grant : decision.grants) {
      end.trace.push_back(static_cast<int64_t>(grant.id));
      end.trace.push_back(grant.tokens);
    }
    end.grants += static_cast<int64_t>(decision.grants.size());
    end.preemptions += static_cast<int64_t>(decision.preempted.size());
    if (!play.Apply(decision)) broken(Rule::kStarve, "nobody runs, and nobody will come");
    if (++end.steps > kMostSteps) broken(Rule::kStarve, "some requests never end");
  }
  return end;
}

std::vector<SimulatedRequest> RandomRequests(const SimulatedPool& pool, int32_t count,
                                             uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto up_to = [&](int64_t most) {
    return static_cast<int32_t>(random() % (static_cast<uint64_t>(std::max<int64_t>(most, 0)) + 1));
  };
  const int64_t slots = std::min<int64_t>(int64_t{pool.total_blocks} * pool.block_tokens, 2000);
  // Contiguous K and V: one block holds a whole sequence, and no sequence is longer.
  const int64_t longest = pool.block_tokens >= 512 ? std::min<int64_t>(slots, 512) : slots;
  std::vector<SimulatedRequest> requests;
  int64_t arrival_us = 0;
  for (int32_t i = 0; i < count; ++i) {
    if (up_to(3) == 0) arrival_us += up_to(40000);
    const int64_t most = up_to(4) == 0 ? longest : std::max<int64_t>(longest / 8, 2);
    SimulatedRequest r = {arrival_us, 1 + up_to(most - 2), 0, 0, 0};
    r.output_tokens = 1 + up_to(std::min<int64_t>(most - r.prompt_tokens - 1, 40));
    r.priority = up_to(5) == 0 ? up_to(4) - 2 : 0;
    r.drafts = up_to(2) == 0 ? up_to(6) : 0;
    requests.push_back(r);
  }
  return requests;
}

}  // namespace tenon::testing
