// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tenon/program.h"

namespace tenon::testing {

// A Program under construction that the kit hands to what rewrites Programs. Owns copies of all
// that is passed in, as ProgramEditor says.
class KitProgram final : public ProgramEditor {
 public:
  uint32_t AddValue(const ValueInfo& info) noexcept override;
  ValueInfo Value(uint32_t value) const noexcept override;
  int32_t Count() const noexcept override { return static_cast<int32_t>(nodes_.size()); }
  Node At(int32_t at) const noexcept override;
  void Insert(int32_t before, const Node& node) noexcept override;
  void Replace(int32_t at, const Node& node) noexcept override;
  void Erase(int32_t at) noexcept override;

  uint32_t Values() const { return static_cast<uint32_t>(values_.size()); }
  int32_t changes() const { return changes_; }  // insertions, replacements and erasures so far

 private:
  struct Owned {
    std::string kind, name;
    std::vector<std::string> weight_names;
    std::vector<Operand> inputs, outputs;
    std::vector<Weight> weights;
    std::vector<uint64_t> params;  // aligned as any parameters are
    Node node;
  };
  struct OwnedValue {
    std::string name;
    ValueInfo info;
  };
  static Owned CopyOf(const Node& node);

  std::deque<OwnedValue> values_;
  std::deque<Owned> nodes_;
  int32_t changes_ = 0;
};

}  // namespace tenon::testing
