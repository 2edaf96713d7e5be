// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "tenon/program.h"

namespace tenon::parallel {

// A ProgramEditor over a plain list, for tests of passes. Copies what a host copies.
class ListProgram final : public ProgramEditor {
 public:
  uint32_t AddValue(const ValueInfo& info) noexcept override;
  ValueInfo Value(uint32_t value) const noexcept override;
  int32_t Count() const noexcept override { return static_cast<int32_t>(nodes_.size()); }
  Node At(int32_t at) const noexcept override;
  void Insert(int32_t before, const Node& node) noexcept override;
  void Replace(int32_t at, const Node& node) noexcept override;
  void Erase(int32_t at) noexcept override;

  uint32_t value_count() const { return static_cast<uint32_t>(values_.size()); }

 private:
  struct Kept {
    std::string kind, name;
    Family family = Family::kDevice;
    OpMaker* maker = nullptr;
    std::vector<Operand> inputs, outputs;
    std::vector<Weight> weights;
    std::vector<char> params;
    Capabilities needs;
  };
  static Kept Copy(const Node& node);

  std::vector<ValueInfo> values_;
  std::list<std::string> names_;  // of values
  std::vector<Kept> nodes_;
};

}  // namespace tenon::parallel
