// SPDX-License-Identifier: Apache-2.0
#include "apps/record/difference.h"

#include <algorithm>
#include <map>

#include "fmt/format.h"

namespace tenon::apps::record {
namespace {

constexpr size_t kMostErrors = 20;
constexpr size_t kHashDigits = 12;  // shown

bool EndedByItself(const RecordedChoice& choice) {
  return choice.end == End::kStop || choice.end == End::kLength;
}

std::string ShortHash(const std::string& sha256) {
  return sha256.empty() ? "hash unknown" : "sha256 " + sha256.substr(0, kHashDigits);
}

std::string Described(const ComponentIdentity* component) {
  if (component == nullptr) return "none";
  return fmt::format("{}, {} {}, {}", component->use, component->plugin, component->version,
                     ShortHash(component->sha256));
}

// By family, and by place in a chain.
std::map<std::string, const ComponentIdentity*> ByPlace(const EngineIdentity& identity) {
  std::map<std::string, int> seen;
  std::map<std::string, const ComponentIdentity*> out;
  for (const ComponentIdentity& component : identity.components) {
    const int place = ++seen[component.family];
    out[place == 1 ? component.family : fmt::format("{} {}", component.family, place)] = &component;
  }
  return out;
}

void AddTimes(const RecordedChoice& recorded, const RecordedChoice& replayed,
              std::vector<double> (*times)[2]) {
  const auto add = [&](size_t which, double a, double b) {
    times[which][0].push_back(a * 1e-3);
    times[which][1].push_back(b * 1e-3);
  };
  if (recorded.first_token_us < 0 || replayed.first_token_us < 0) return;
  add(0, static_cast<double>(recorded.first_token_us),
      static_cast<double>(replayed.first_token_us));
  if (recorded.tokens.size() > 1 && replayed.tokens.size() > 1) {
    add(1, PerTokenUs(recorded), PerTokenUs(replayed));
  }
  add(2, static_cast<double>(recorded.last_token_us), static_cast<double>(replayed.last_token_us));
}

TimePair PairOf(std::vector<double> (&times)[2]) {
  const std::vector<double> percentiles = {50, 90, 99};
  return {DistributionOf(std::move(times[0]), percentiles),
          DistributionOf(std::move(times[1]), percentiles)};
}

}  // namespace

std::optional<Change> FirstDifference(const RecordedChoice& recorded,
                                      const RecordedChoice& replayed) {
  const size_t a = recorded.tokens.size();
  const size_t b = replayed.tokens.size();
  const size_t common = std::min(a, b);
  const auto [left, right] = std::mismatch(recorded.tokens.begin(),
                                           recorded.tokens.begin() + static_cast<ptrdiff_t>(common),
                                           replayed.tokens.begin());
  Change change;
  change.token = static_cast<size_t>(left - recorded.tokens.begin());
  change.recorded_tokens = a;
  change.replayed_tokens = b;
  if (change.token < a) change.recorded = recorded.tokens[change.token];
  if (change.token < b) change.replayed = replayed.tokens[change.token];
  if (change.token < common) return change;
  const bool ends_a = EndedByItself(recorded);
  const bool ends_b = EndedByItself(replayed);
  // Who ended by itself would have had no more.
  if ((ends_a && b > a) || (ends_b && a > b)) return change;
  if (ends_a && ends_b && recorded.end != replayed.end) return change;
  return std::nullopt;
}

Outcome OutcomeOf(const RecordedChoice& recorded, const RecordedChoice& replayed) {
  if (FirstDifference(recorded, replayed)) return Outcome::kChanged;
  if (EndedByItself(recorded) && EndedByItself(replayed)) return Outcome::kIdentical;
  if (replayed.end == End::kError && recorded.end != End::kError) return Outcome::kFailed;
  if (recorded.tokens.empty() || replayed.tokens.empty()) return Outcome::kIncomparable;
  return Outcome::kSameSoFar;
}

Differences Compare(std::span<const RecordedRequest> requests, const ReplayRun& run) {
  Differences out;
  std::vector<double> times[3][2];
  std::vector<double> late;
  for (size_t i = 0; i < requests.size(); ++i) {
    const ReplayedRequest& replayed = run.requests[i];
    Outcome outcome = replayed.ended ? Outcome::kIdentical : Outcome::kUnsent;
    if (replayed.ended) {
      late.push_back(static_cast<double>(replayed.sent_us - replayed.due_us) * 1e-3);
    }
    for (size_t c = 0; c < replayed.choices.size(); ++c) {
      const RecordedChoice& before = requests[i].choices[c];
      const RecordedChoice& now = replayed.choices[c];
      outcome = std::max(outcome, OutcomeOf(before, now));
      if (auto change = FirstDifference(before, now)) {
        change->request = i;
        change->choice = static_cast<int32_t>(c);
        out.changes.push_back(*change);
      }
      if (!now.error.empty() && out.errors.size() < kMostErrors &&
          std::find(out.errors.begin(), out.errors.end(), now.error) == out.errors.end()) {
        out.errors.push_back(now.error);
      }
      AddTimes(before, now, times);
      out.recorded_tokens += static_cast<int64_t>(before.tokens.size());
      out.replayed_tokens += static_cast<int64_t>(now.tokens.size());
    }
    out.outcomes.push_back(outcome);
    ++out.counts[static_cast<size_t>(outcome)];
  }
  out.first_token = PairOf(times[0]);
  out.per_token = PairOf(times[1]);
  out.whole = PairOf(times[2]);
  out.late = DistributionOf(std::move(late), {50, 90, 99, 100});
  return out;
}

std::vector<PluginChange> PluginChanges(const EngineIdentity& recorded,
                                        const EngineIdentity& replayed) {
  std::vector<PluginChange> out;
  const auto before = ByPlace(recorded);
  const auto now = ByPlace(replayed);
  std::map<std::string, bool> places;
  for (const auto& [place, component] : before) places[place] = true;
  for (const auto& [place, component] : now) places[place] = true;
  for (const auto& [place, there] : places) {
    const auto a = before.find(place);
    const auto b = now.find(place);
    const ComponentIdentity* left = a == before.end() ? nullptr : a->second;
    const ComponentIdentity* right = b == now.end() ? nullptr : b->second;
    const bool same = left != nullptr && right != nullptr && left->use == right->use &&
                      left->plugin == right->plugin;
    if (same && left->sha256 == right->sha256 && left->version == right->version) continue;
    out.push_back({place, Described(left), Described(right), same});
  }
  if (recorded.sha256 != replayed.sha256) {
    out.push_back({"tenon", ShortHash(recorded.sha256), ShortHash(replayed.sha256), true});
  }
  return out;
}

}  // namespace tenon::apps::record
