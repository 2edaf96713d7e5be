// SPDX-License-Identifier: Apache-2.0
#include "text/stop_strings.h"

#include <unordered_map>
#include <utility>

#include "text/utf8.h"

namespace tenon::text {

// A state is a prefix of some stop string; state 0 is the empty one.
struct StopStrings::Automaton {
  struct State {
    uint32_t fallback = 0;  // the longest proper suffix that is a state too
    uint32_t length = 0;
    int32_t stop = -1;  // the longest stop string that ends here
  };
  std::vector<State> states = {{}};
  std::unordered_map<uint64_t, uint32_t> edges;  // state << 8 | byte
  std::vector<std::string> stops;

  uint32_t Child(uint32_t state, uint8_t byte) const {
    const auto edge = edges.find(uint64_t{state} << 8 | byte);
    return edge == edges.end() ? 0 : edge->second;
  }

  uint32_t Next(uint32_t state, uint8_t byte) const {
    while (true) {
      if (const uint32_t child = Child(state, byte); child != 0) return child;
      if (state == 0) return 0;
      state = states[state].fallback;
    }
  }

  void Add(const std::string& stop) {
    uint32_t state = 0;
    for (const char c : stop) {
      uint32_t& child = edges[uint64_t{state} << 8 | static_cast<uint8_t>(c)];
      if (child == 0) {
        child = static_cast<uint32_t>(states.size());
        states.push_back({0, states[state].length + 1, -1});
      }
      state = child;
    }
    states[state].stop = static_cast<int32_t>(stops.size());
    stops.push_back(stop);
  }

  // Fallbacks, shortest prefixes first: those of a length need all shorter ones.
  void Link() {
    struct Edge {
      uint32_t parent, child;
      uint8_t byte;
    };
    std::vector<std::vector<Edge>> by_length;
    for (const auto& [key, child] : edges) {
      const uint32_t length = states[child].length;
      if (by_length.size() < length) by_length.resize(length);
      by_length[length - 1].push_back(
          {static_cast<uint32_t>(key >> 8), child, static_cast<uint8_t>(key)});
    }
    for (const auto& edges_of_length : by_length) {
      for (const auto& [parent, child, byte] : edges_of_length) {
        State& state = states[child];
        state.fallback = parent == 0 ? 0 : Next(states[parent].fallback, byte);
        if (state.stop < 0) state.stop = states[state.fallback].stop;
      }
    }
  }
};

StopStrings::StopStrings(std::shared_ptr<const Automaton> automaton)
    : automaton_(std::move(automaton)) {}

Result<StopStrings> StopStrings::Make(const std::vector<std::string>& stops) {
  if (stops.size() > 256) {
    return Error{
        Status::kInvalid, std::to_string(stops.size()) + " stop strings; at most 256 allowed", {}};
  }
  auto automaton = std::make_shared<Automaton>();
  for (const std::string& stop : stops) {
    if (stop.empty() || stop.size() > 4096) {
      return Error{Status::kInvalid,
                   "a stop string of " + std::to_string(stop.size()) + " bytes; 1 to 4096 allowed",
                   {}};
    }
    if (ValidUtf8Prefix(stop) != stop.size()) {
      return Error{Status::kInvalid, "a stop string is not UTF-8", {}};
    }
    automaton->Add(stop);
  }
  automaton->Link();
  return StopStrings(std::move(automaton));
}

std::string StopStrings::Push(std::string_view text) {
  if (stopped()) return {};
  for (const char c : text) {
    held_.push_back(c);
    state_ = automaton_->Next(state_, static_cast<uint8_t>(c));
    if (const int32_t stop = automaton_->states[state_].stop; stop >= 0) {
      matched_ = automaton_->stops[static_cast<size_t>(stop)];
      held_.resize(held_.size() - matched_.size());
      return std::exchange(held_, {});
    }
  }
  const size_t kept = automaton_->states[state_].length;
  std::string shown = held_.substr(0, held_.size() - kept);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::Flush() {
  state_ = 0;
  return std::exchange(held_, {});
}

}  // namespace tenon::text
