// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "tenon/ops.h"
#include "tenon/program.h"
#include "tenon/result.h"

namespace tenon::models::testing {

// A ProgramEditor that keeps what a model emits, for tests to look at. Appends only.
class Recorder final : public ProgramEditor {
 public:
  struct Kept {
    std::string kind, name;
    Family family;
    std::vector<Operand> inputs, outputs;
    std::vector<Weight> weights;
    std::vector<std::string> weight_names;
    std::vector<char> params;
    Capabilities needs;

    template <typename P>
    P Params() const {
      TENON_CHECK(params.size() == sizeof(P));
      P out;
      std::memcpy(&out, params.data(), sizeof(P));
      return out;
    }
  };
  struct KeptValue {
    std::string name;
    RowSet rows;
    int32_t columns;
  };
  std::vector<KeptValue> values;
  std::deque<Kept> nodes;

  // The node of that name; null where there is none.
  const Kept* Find(const std::string& name) const {
    for (const Kept& node : nodes) {
      if (node.name == name) return &node;
    }
    return nullptr;
  }
  int CountOf(const std::string& kind) const {
    int count = 0;
    for (const Kept& node : nodes) count += node.kind == kind ? 1 : 0;
    return count;
  }

  uint32_t AddValue(const ValueInfo& info) noexcept override {
    values.push_back({std::string(std::string_view(info.name)), info.rows, info.columns});
    return static_cast<uint32_t>(values.size() - 1);
  }
  ValueInfo Value(uint32_t value) const noexcept override {
    const KeptValue& kept = values.at(value);
    return {Str(kept.name), DType::kF32, kept.rows, kept.columns};
  }
  int32_t Count() const noexcept override { return static_cast<int32_t>(nodes.size()); }
  Node At(int32_t at) const noexcept override {
    const Kept& kept = nodes.at(static_cast<size_t>(at));
    Node node;
    node.kind = Str(kept.kind);
    node.name = Str(kept.name);
    node.family = kept.family;
    return node;
  }
  void Insert(int32_t before, const Node& node) noexcept override {
    TENON_CHECK(before == Count());
    Kept kept{std::string(std::string_view(node.kind)),
              std::string(std::string_view(node.name)),
              node.family,
              {node.inputs.begin(), node.inputs.end()},
              {node.outputs.begin(), node.outputs.end()},
              {node.weights.begin(), node.weights.end()},
              {},
              {},
              node.needs};
    for (const Weight& weight : kept.weights) {
      kept.weight_names.emplace_back(std::string_view(weight.name));
    }
    const char* params = static_cast<const char*>(node.params);
    kept.params.assign(params, params + node.params_bytes);
    nodes.push_back(std::move(kept));
  }
  void Replace(int32_t, const Node&) noexcept override { TENON_CHECK(false); }
  void Erase(int32_t) noexcept override { TENON_CHECK(false); }
};

}  // namespace tenon::models::testing
