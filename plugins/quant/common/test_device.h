// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <barrier>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/random_weights.h"
#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/ops.h"
#include "tenon/plugin.h"
#include "tenon/quant.h"

// A host, a device and a linear to plan, for the tests of quant plugins.
namespace tenon::quant {

class TestHost final : public Host {
 public:
  void Log(LogLevel, Str) noexcept override {}
  Status Fail(Status status, Str text) noexcept override {
    failure = std::string(std::string_view(text));
    return status;
  }
  void* Service(const char*) noexcept override { return nullptr; }

  std::string failure;
};

// Runs ops on `lanes` threads made for each call; counts its memory.
class TestDevice final : public Device {
 public:
  TestDevice(int32_t lanes, const char* isa) : lanes_(lanes), isa_(isa) {}
  ~TestDevice() = default;

  DeviceInfo Info() const noexcept override { return {"cpu", "test", isa_, lanes_, 0, 0}; }
  void* Allocate(uint64_t bytes) noexcept override {
    if (live_bytes + bytes > limit_bytes) return nullptr;
    const uint64_t size = (bytes + 63) / 64 * 64;
    void* memory = std::aligned_alloc(64, size == 0 ? 64 : size);
    std::memset(memory, 0, size);
    sizes_[memory] = bytes;
    live_bytes += bytes;
    return memory;
  }
  void Free(void* memory) noexcept override {
    if (memory == nullptr) return;
    live_bytes -= sizes_.at(memory);
    sizes_.erase(memory);
    std::free(memory);
  }
  Status Copy(void* to, const void* from, uint64_t bytes, CopyKind) noexcept override {
    std::memcpy(to, from, bytes);
    return Status::kOk;
  }
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t*) noexcept override {
    for (const Step& step : steps) RunOp(*step.op, batch);
    return Status::kOk;
  }
  void ParallelFor(int64_t count, void (*fn)(void*, int64_t) noexcept,
                   void* context) noexcept override {
    for (int64_t i = 0; i < count; ++i) fn(context, i);
  }
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }

  void RunOp(Op& op, const Batch& batch) {
    std::barrier<> barrier(lanes_);
    int64_t next_piece = 0;
    const auto meet = [](void* team, int32_t) noexcept {
      static_cast<std::barrier<>*>(team)->arrive_and_wait();
    };
    std::vector<std::thread> threads;
    for (int32_t i = 1; i < lanes_; ++i) {
      threads.emplace_back([&, i] {
        op.Run(batch, {i, lanes_, nullptr, &next_piece, &barrier, meet});
      });
    }
    op.Run(batch, {0, lanes_, nullptr, &next_piece, &barrier, meet});
    for (std::thread& thread : threads) thread.join();
  }

  uint64_t live_bytes = 0;
  uint64_t limit_bytes = UINT64_MAX;

 private:
  int32_t lanes_;
  const char* isa_;
  std::map<void*, uint64_t> sizes_;
};

// A component of `info` with its first options set to words, and the others as they are.
class TestComponent {
 public:
  TestComponent(const ComponentInfo& info, TestHost& host, Device& device, const char* word,
                const char* second = nullptr, const char* third = nullptr)
      : info_(info) {
    std::vector<OptionValue> values(info.option_count);
    for (uint64_t i = 0; i < values.size(); ++i) {
      const char* given = i == 0 ? word : i == 1 ? second : i == 2 ? third : nullptr;
      values[i].type = OptionType::kString;
      values[i].text = given != nullptr ? given : info.options[i].default_text;
      if (info.options[i].type != OptionType::kBool) continue;
      values[i].type = OptionType::kBool;
      values[i].boolean = values[i].text == Str("true");
    }
    const CreateArgs args{
        &host, {{info.options, values.size()}, {values.data(), values.size()}}, &device};
    status = info.create(&args, &component_);
  }
  TestComponent(const TestComponent&) = delete;
  TestComponent& operator=(const TestComponent&) = delete;
  ~TestComponent() {
    if (component_ != nullptr) info_.destroy(component_);
  }
  Component& component() { return *component_; }
  Quant& quant() { return *QueryFor<Quant>(*component_); }

  Status status;

 private:
  const ComponentInfo& info_;
  Component* component_ = nullptr;
};

// A linear of stacked random matrices with its buffers; edit the parts before Spec().
struct TestLinear {
  struct Matrix {
    DType type;
    int64_t rows;
    std::vector<uint8_t> stored;
  };

  TestLinear(std::vector<std::pair<DType, int64_t>> shapes, int64_t columns, int32_t max_tokens,
             bool bias, bool residual)
      : k(columns), tokens(max_tokens) {
    uint32_t seed = 40;
    for (const auto& [type, rows] : shapes) {
      matrices.push_back({type, rows, cpu::RandomStored(type, rows * k, ++seed)});
      outputs += rows;
    }
    x = cpu::RandomFloats(tokens * k, 1);
    residual_values = cpu::RandomFloats(tokens * outputs, 2);
    biases = cpu::RandomFloats(outputs, 3);
    out.resize(static_cast<size_t>(tokens * outputs));
    params = {static_cast<int32_t>(matrices.size()), bias, residual};
  }

  OpSpec Spec() {
    weights.clear();
    for (const Matrix& m : matrices) {
      const int64_t row_bytes = static_cast<int64_t>(BytesOf(m.type, static_cast<uint64_t>(k)));
      weights.push_back({"w", {m.type, m.stored.data(), m.rows, k}, row_bytes});
    }
    int64_t first = 0;
    for (const Matrix& m : matrices) {
      if (params.has_bias == 0) break;
      weights.push_back({"b", {DType::kF32, biases.data() + first, 1, m.rows}, m.rows * 4});
      first += m.rows;
    }
    const auto buffer = [&](float* data, int64_t columns) {
      return Buffer{data,       DType::kF32, RowSet::kTokens, tokens, static_cast<int32_t>(columns),
                    columns * 4};
    };
    inputs = {buffer(x.data(), k), buffer(residual_values.data(), outputs)};
    output = {buffer(out.data(), outputs)};
    return {kLinear,
            "layers.0.test",
            {inputs.data(), params.has_residual != 0 ? 2u : 1u},
            {output.data(), 1},
            {weights.data(), weights.size()},
            &params,
            sizeof(params),
            nullptr,
            0};
  }

  int64_t k;
  int32_t tokens;
  int64_t outputs = 0;
  std::vector<Matrix> matrices;
  std::vector<float> x, residual_values, biases, out;
  LinearParams params;
  std::vector<Weight> weights;
  std::vector<Buffer> inputs, output;
};

inline Batch TestBatch(int32_t tokens) {
  Batch batch{};
  batch.tokens = tokens;
  batch.logit_rows = tokens;
  return batch;
}

}  // namespace tenon::quant
