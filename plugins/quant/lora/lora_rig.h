// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/half.h"
#include "plugins/parallel/common/list_program.h"
#include "plugins/quant/common/test_device.h"
#include "plugins/quant/lora/lora.h"
#include "tenon/ops.h"
#include "tenon/quant.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_lora();

// One linear of stacked matrices "m0", "m1", … and what adapters do to it, for tests.
namespace tenon::quant {

inline const ComponentInfo& LoraInfo() { return *tenon_plugin_v1_quant_lora()->components[0]; }

// The component, made and ended.
class TestLora {
 public:
  TestLora(TestHost& host, Device& device) {
    const CreateArgs args{&host, {}, &device};
    status = LoraInfo().create(&args, &component_);
  }
  TestLora(const TestLora&) = delete;
  TestLora& operator=(const TestLora&) = delete;
  ~TestLora() {
    if (component_ != nullptr) LoraInfo().destroy(component_);
  }
  Adapter& adapter() { return *QueryFor<Adapter>(*component_); }

  Status status;

 private:
  Component* component_ = nullptr;
};

// Deltas with random factors, which it owns.
class TestDeltas {
 public:
  void Add(int32_t adapter, const std::string& weight, int64_t rank, int64_t inputs,
           int64_t outputs, float scale, DType type) {
    const std::string& name = names_.emplace_back(weight);
    deltas.push_back({adapter, Str(std::string_view(name)), Random(type, rank, inputs),
                      Random(type, outputs, rank), scale});
  }
  Span<const AdapterDelta> View() const { return {deltas.data(), deltas.size()}; }

  std::vector<AdapterDelta> deltas;

 private:
  Tensor Random(DType type, int64_t rows, int64_t columns) {
    const std::vector<float> values = cpu::RandomFloats(rows * columns, ++seed_);
    std::vector<uint8_t>& stored =
        stored_.emplace_back(BytesOf(type, static_cast<uint64_t>(rows * columns)));
    for (size_t i = 0; i < values.size(); ++i) {
      const float value = values[i] * 0.3F;
      const uint16_t half = type == DType::kF16 ? cpu::F32ToF16(value) : cpu::F32ToBf16(value);
      if (type == DType::kF32) {
        std::memcpy(&stored[i * 4], &value, 4);
      } else {
        std::memcpy(&stored[i * 2], &half, 2);
      }
    }
    return {type, stored.data(), rows, columns};
  }

  std::deque<std::string> names_;
  std::deque<std::vector<uint8_t>> stored_;
  uint32_t seed_ = 70;
};

inline std::vector<double> Values(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.columns));
  cpu::Dequantize(cpu::Isa::kGeneric, tensor.dtype, tensor.data, tensor.rows * tensor.columns,
                  values.data());
  return {values.begin(), values.end()};
}

// Sequences of a step: {tokens, adapter}, and views of them.
struct TestStep {
  explicit TestStep(std::vector<std::pair<int32_t, int32_t>> sequences) {
    for (const auto& [tokens, adapter] : sequences) {
      spans.push_back({.first_token = static_cast<int32_t>(token_sequence.size()),
                       .tokens = tokens,
                       .context = 0,
                       .first_block = 0,
                       .blocks = 0,
                       .adapter = adapter});
      token_sequence.insert(token_sequence.end(), static_cast<size_t>(tokens),
                            static_cast<int32_t>(spans.size()) - 1);
    }
  }
  Batch View() const {
    Batch batch{};
    batch.tokens = static_cast<int32_t>(token_sequence.size());
    batch.sequences = static_cast<int32_t>(spans.size());
    batch.logit_rows = static_cast<int32_t>(logit_rows.size());
    batch.token_sequence = token_sequence.data();
    batch.spans = batch.host_spans = spans.data();
    batch.logit_row_tokens = logit_rows.data();
    return batch;
  }

  std::vector<SequenceSpan> spans;
  std::vector<int32_t> token_sequence;
  std::vector<int32_t> logit_rows;
};

// A Program of one linear, its values, and the op that Rewrite puts behind it.
class LoraRig {
 public:
  LoraRig(int32_t lanes, const char* isa, std::vector<int64_t> matrix_rows, int64_t inputs,
          int32_t max_rows, RowSet rows = RowSet::kTokens)
      : device(lanes, isa), lora(host, device), matrix_rows_(std::move(matrix_rows)) {
    for (const int64_t one : matrix_rows_) outputs += one;
    x = cpu::RandomFloats(max_rows * inputs, 5);
    out = cpu::RandomFloats(max_rows * outputs, 6);
    before = out;
    buffers_[0] = {x.data(), DType::kF32, rows, max_rows, static_cast<int32_t>(inputs), inputs * 4};
    buffers_[1] = {out.data(), DType::kF32, rows, max_rows, static_cast<int32_t>(outputs),
                   outputs * 4};
    AddLinear(inputs, rows);
  }

  // Rewrites and plans; the first failure's text is in host.failure.
  Status Prepare(const TestDeltas& deltas) {
    if (const Status status = lora.adapter().Rewrite(program, deltas.View());
        status != Status::kOk) {
      return status;
    }
    if (program.Count() < 2) return Status::kNotFound;
    const Node node = program.At(1);
    const OpSpec spec{node.kind,         node.name, {buffers_, 2},
                      {buffers_ + 1, 1}, {},        node.params,
                      node.params_bytes, nullptr,   0};
    return node.maker->Plan(spec, &planned);
  }

  float* Row(int32_t row) { return out.data() + row * outputs; }

  TestHost host;
  TestDevice device;
  TestLora lora;
  parallel::ListProgram program;
  PlannedOp planned;
  std::vector<float> x, out, before;
  int64_t outputs = 0;

 private:
  void AddLinear(int64_t inputs, RowSet rows) {
    const auto columns = static_cast<int32_t>(inputs);
    const auto all = static_cast<int32_t>(outputs);
    const Operand in{program.AddValue({"x", DType::kF32, rows, columns}), 0, columns};
    const Operand to{program.AddValue({"out", DType::kF32, rows, all}), 0, all};
    std::vector<Weight> weights;
    for (size_t i = 0; i < matrix_rows_.size(); ++i) {
      const std::string& name = names_.emplace_back("m" + std::to_string(i));
      weights.push_back({Str(std::string_view(name)),
                         {DType::kF32, &stored_, matrix_rows_[i], inputs},
                         inputs * 4});
    }
    const LinearParams params{static_cast<int32_t>(weights.size()), 0, 0};
    Node node;
    node.kind = kLinear;
    node.name = "layers.0.qkv";
    node.family = Family::kQuant;
    node.inputs = {&in, 1};
    node.outputs = {&to, 1};
    node.weights = {weights.data(), weights.size()};
    node.params = &params;
    node.params_bytes = sizeof(params);
    program.Insert(0, node);
  }

  std::vector<int64_t> matrix_rows_;
  std::deque<std::string> names_;
  float stored_ = 0;  // never read: the linear itself does not run
  Buffer buffers_[2];
};

inline std::vector<const char*> LoraLevels() {
  std::vector<const char*> levels;
  for (uint32_t i = 0; i < cpu::kIsaCount; ++i) {
    if (cpu::IsaLevels()[i].available) levels.push_back(cpu::IsaLevels()[i].name);
  }
  return levels;
}

}  // namespace tenon::quant
