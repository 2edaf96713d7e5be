// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "tenon/component.h"
#include "tenon/rules.h"

namespace tenon::decoding {

// Gives the answer of an earlier request that was the same in all that its answer depends on. Keeps
// the most recently used, bounded in number and bytes.
class ResponseCache final : public Component, public FrontRule {
 public:
  explicit ResponseCache(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<FrontRule>(this, name); }
  bool Answer(const RuleRequest& request, TextSink& out) noexcept override;
  void Learn(const RuleRequest& request, Str answer) noexcept override;

 private:
  using Key = std::pair<uint64_t, uint64_t>;
  struct Entry {
    Key key;
    std::string answer;
  };
  void Shrink();

  const uint64_t entries_;
  const uint64_t bytes_;
  std::mutex mutex_;
  std::list<Entry> order_;  // the most recently used first
  std::map<Key, std::list<Entry>::iterator> places_;
  uint64_t held_bytes_ = 0;
};

}  // namespace tenon::decoding
