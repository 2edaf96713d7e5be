// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu/activation.h"
#include "kernels/cpu/norm.h"
#include "kernels/cpu/random_weights.h"
#include "plugins/quant/common/test_device.h"
#include "tenon/ops.h"
#include "tenon/program.h"

// A list of nodes with memory for its values, for the tests of the pass.
namespace tenon::quant {

class TestProgram final : public ProgramEditor {
 public:
  explicit TestProgram(int32_t max_rows) : max_rows_(max_rows) {}

  uint32_t AddValue(const ValueInfo& info) noexcept override {
    values_.push_back({std::string(std::string_view(info.name)), info, nullptr});
    Slot& slot = values_.back();
    slot.info.name = Str(slot.name);
    const uint64_t bytes = static_cast<uint64_t>(max_rows_) * RowBytes(slot);
    slot.data.reset(static_cast<char*>(std::aligned_alloc(64, bytes)));
    const std::vector<float> random =
        cpu::RandomFloats(static_cast<int64_t>(bytes / 4), static_cast<uint32_t>(values_.size()));
    std::memcpy(slot.data.get(), random.data(), bytes);
    return static_cast<uint32_t>(values_.size() - 1);
  }
  ValueInfo Value(uint32_t value) const noexcept override { return values_[value].info; }
  int32_t Count() const noexcept override { return static_cast<int32_t>(nodes_.size()); }
  Node At(int32_t at) const noexcept override { return nodes_[static_cast<size_t>(at)]->node; }
  void Insert(int32_t before, const Node& node) noexcept override {
    nodes_.insert(nodes_.begin() + before, std::make_unique<Kept>(node));
  }
  void Replace(int32_t at, const Node& node) noexcept override {
    nodes_[static_cast<size_t>(at)] = std::make_unique<Kept>(node);
  }
  void Erase(int32_t at) noexcept override { nodes_.erase(nodes_.begin() + at); }

  uint32_t Value(const char* name, int32_t columns) {
    return AddValue({name, DType::kF32, RowSet::kTokens, columns});
  }

  template <typename Params>
  void Append(const char* kind, const std::string& name, Family family, std::vector<Operand> inputs,
              std::vector<Operand> outputs, const Params& params,
              std::vector<Weight> weights = {}) {
    Node node;
    node.kind = kind;
    node.name = Str(name);
    node.family = family;
    node.inputs = {inputs.data(), inputs.size()};
    node.outputs = {outputs.data(), outputs.size()};
    node.weights = {weights.data(), weights.size()};
    node.params = &params;
    node.params_bytes = sizeof(params);
    Insert(Count(), node);
  }

  // A random matrix or vector, the same for the same numbers.
  Weight Random(DType type, int64_t rows, int64_t columns, uint32_t seed) {
    stored_.push_back(cpu::RandomStored(type, rows * columns, seed));
    const auto row_bytes = static_cast<int64_t>(BytesOf(type, static_cast<uint64_t>(columns)));
    return {"w", {type, stored_.back().data(), rows, columns}, row_bytes};
  }

  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    for (const auto& kept : nodes_) kinds.push_back(kept->kind);
    return kinds;
  }

  // Runs the list on `tokens` rows, with linears and what a pass made by `quant`.
  void Run(TestHost& host, TestDevice& device, OpMaker& quant, cpu::Isa isa, int32_t tokens) {
    for (const auto& kept : nodes_) {
      const Node& node = kept->node;
      std::vector<Buffer> inputs, outputs;
      for (const Operand& operand : node.inputs) inputs.push_back(Bind(operand));
      for (const Operand& operand : node.outputs) outputs.push_back(Bind(operand));
      if (node.family == Family::kDevice) {
        RunDeviceOp(node, inputs, outputs[0], isa, tokens);
        continue;
      }
      const OpSpec spec{node.kind,
                        node.name,
                        {inputs.data(), inputs.size()},
                        {outputs.data(), outputs.size()},
                        node.weights,
                        node.params,
                        node.params_bytes,
                        nullptr,
                        0};
      PlannedOp planned;
      ASSERT_EQ(quant.Plan(spec, &planned), Status::kOk) << host.failure;
      device.RunOp(*planned.op, TestBatch(tokens));
    }
  }

  // The first `tokens` rows of a value.
  std::string Bytes(uint32_t value, int32_t tokens) const {
    const Slot& slot = values_[value];
    return {slot.data.get(), static_cast<size_t>(tokens) * RowBytes(slot)};
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  struct Slot {
    std::string name;
    ValueInfo info;
    std::unique_ptr<char, Free> data;
  };
  struct Kept {
    explicit Kept(const Node& from)
        : kind(std::string_view(from.kind)),
          name(std::string_view(from.name)),
          inputs(from.inputs.begin(), from.inputs.end()),
          outputs(from.outputs.begin(), from.outputs.end()),
          weights(from.weights.begin(), from.weights.end()),
          params((from.params_bytes + 7) / 8),
          node(from) {
      std::memcpy(params.data(), from.params, from.params_bytes);
      node.kind = Str(kind);
      node.name = Str(name);
      node.inputs = {inputs.data(), inputs.size()};
      node.outputs = {outputs.data(), outputs.size()};
      node.weights = {weights.data(), weights.size()};
      node.params = params.data();
    }
    std::string kind, name;
    std::vector<Operand> inputs, outputs;
    std::vector<Weight> weights;
    std::vector<uint64_t> params;
    Node node;
  };

  static uint64_t RowBytes(const Slot& slot) {
    const uint64_t dense = BytesOf(slot.info.dtype, static_cast<uint64_t>(slot.info.columns));
    return (dense + 63) / 64 * 64;
  }

  Buffer Bind(const Operand& operand) const {
    const Slot& slot = values_[operand.value];
    const auto first = static_cast<uint64_t>(operand.first_column);
    return {slot.data.get() + BytesOf(slot.info.dtype, first),
            slot.info.dtype,
            RowSet::kTokens,
            max_rows_,
            operand.columns,
            static_cast<int64_t>(RowBytes(slot))};
  }

  // As the device does, with the same kernels.
  static void RunDeviceOp(const Node& node, const std::vector<Buffer>& in, const Buffer& out,
                          cpu::Isa isa, int32_t tokens) {
    const auto row = [](const Buffer& buffer, int32_t t) {
      return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + t * buffer.row_bytes);
    };
    const cpu::ActivationFunctions& functions = cpu::ActivationsOf(isa);
    for (int32_t t = 0; t < tokens; ++t) {
      if (node.kind == Str(kRmsNorm)) {
        const auto& params = *static_cast<const RmsNormParams*>(node.params);
        std::vector<float> weight(static_cast<size_t>(params.group));
        std::memcpy(weight.data(), node.weights[0].tensor.data, weight.size() * sizeof(float));
        for (float& w : weight) w += params.weight_offset;
        cpu::RmsNormOf(isa)(row(in[0], t), out.columns / params.group, params.group, weight.data(),
                            params.epsilon, row(out, t));
      } else if (node.kind == Str(kGlu)) {
        const auto activation = static_cast<const GluParams*>(node.params)->activation;
        const auto glu = activation == Activation::kSilu       ? functions.silu
                         : activation == Activation::kGeluTanh ? functions.gelu_tanh
                                                               : functions.gelu;
        glu(row(in[0], t), row(in[1], t), out.columns, row(out, t));
      } else {
        ASSERT_TRUE(node.kind == Str(kAdd));
        functions.add(row(in[0], t), row(in[1], t), out.columns, row(out, t));
      }
    }
  }

  int32_t max_rows_;
  std::deque<Slot> values_;
  std::deque<std::vector<uint8_t>> stored_;
  std::vector<std::unique_ptr<Kept>> nodes_;
};

}  // namespace tenon::quant
