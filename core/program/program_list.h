// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tenon/program.h"
#include "tenon/result.h"

namespace tenon::core {

// The symbolic Program: what a model emits and passes rewrite, before buffers are fixed. Owns
// copies of everything but the weights' data. Thread: one.
class ProgramList final : public ProgramEditor {
 public:
  uint32_t AddValue(const ValueInfo& info) noexcept override;
  ValueInfo Value(uint32_t value) const noexcept override;
  int32_t Count() const noexcept override { return static_cast<int32_t>(nodes_.size()); }
  Node At(int32_t at) const noexcept override;
  void Insert(int32_t before, const Node& node) noexcept override;
  void Replace(int32_t at, const Node& node) noexcept override;
  void Erase(int32_t at) noexcept override;

  uint32_t ValueCount() const { return static_cast<uint32_t>(values_.size()); }

  // Whether the list can run: operands exist and lie inside their values, every read value was
  // written before, names are unique, `wanted` is written. Models and passes are checked alike.
  Result<void> Check(uint32_t wanted) const;

 private:
  struct StoredValue {
    std::string name;
    ValueInfo info;
  };
  struct StoredNode {
    explicit StoredNode(const Node& node);
    std::string kind;
    std::string name;
    std::vector<Operand> inputs;
    std::vector<Operand> outputs;
    std::vector<std::string> weight_names;
    std::vector<Weight> weights;
    std::vector<std::max_align_t> params;
    Node node;  // views of the above
  };

  std::vector<StoredValue> values_;
  std::vector<std::unique_ptr<StoredNode>> nodes_;
};

}  // namespace tenon::core
