// SPDX-License-Identifier: Apache-2.0
// A device of one lane that makes four ops, over rows of f32.
#include "tenon/plugin.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "tenon/device.h"
#include "tenon/ops.h"

namespace first {

using tenon::Batch;
using tenon::Buffer;
using tenon::Lane;
using tenon::OpSpec;
using tenon::Status;

constexpr uint64_t kMemoryBytes = uint64_t{16} << 30;

// One row of columns after the other.
class RowOp final : public tenon::Op {
 public:
  using Work = void (*)(const RowOp& op, const float* a, const float* b, float* out);

  RowOp(const OpSpec& spec, Work work)
      : a(spec.inputs[0]),
        b(spec.inputs.size > 1 ? spec.inputs[1] : spec.inputs[0]),
        out(spec.outputs[0]),
        work_(work) {
    if (spec.weights.size > 0) weight = static_cast<const float*>(spec.weights[0].tensor.data);
    std::memcpy(params, spec.params, std::min<size_t>(spec.params_bytes, sizeof(params)));
  }

  void Run(const Batch& batch, const Lane&) noexcept override {
    const auto row = [](const Buffer& buffer, int32_t i) {
      return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + i * buffer.row_bytes);
    };
    for (int32_t i = 0; i < tenon::RowCount(batch, out.rows); ++i) {
      work_(*this, row(a, i), row(b, i), row(out, i));
    }
  }

  const Buffer a, b, out;
  const float* weight = nullptr;
  alignas(8) char params[32] = {};

 private:
  Work work_;
};

void Add(const RowOp& op, const float* a, const float* b, float* out) {
  for (int32_t i = 0; i < op.out.columns; ++i) out[i] = a[i] + b[i];
}

void Glu(const RowOp& op, const float* gate, const float* up, float* out) {
  for (int32_t i = 0; i < op.out.columns; ++i) out[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

void SoftCap(const RowOp& op, const float* x, const float*, float* out) {
  const float cap = reinterpret_cast<const tenon::SoftCapParams*>(op.params)->cap;
  for (int32_t i = 0; i < op.out.columns; ++i) out[i] = cap * std::tanh(x[i] / cap);
}

void RmsNorm(const RowOp& op, const float* x, const float*, float* out) {
  const auto& params = *reinterpret_cast<const tenon::RmsNormParams*>(op.params);
  for (int32_t begin = 0; begin < op.out.columns; begin += params.group) {
    double square = 0;
    for (int32_t i = 0; i < params.group; ++i) square += double{x[begin + i]} * x[begin + i];
    const auto scale = static_cast<float>(1 / std::sqrt(square / params.group + params.epsilon));
    for (int32_t i = 0; i < params.group; ++i) {
      out[begin + i] = x[begin + i] * scale * (op.weight[i] + params.weight_offset);
    }
  }
}

class Sample final : public tenon::Component, public tenon::Device {
 public:
  explicit Sample(const tenon::CreateArgs& args) : host_(*args.host) {}
  ~Sample() {
    for (void* memory : memory_) std::free(memory);
  }
  void* Query(const char* name) noexcept override {
    return tenon::Offer<tenon::Device>(this, name);
  }

  tenon::DeviceInfo Info() const noexcept override {
    return {"cpu", "one lane", "generic", 1, kMemoryBytes, kMemoryBytes};
  }

  void* Allocate(uint64_t bytes) noexcept override {
    if (bytes > kMemoryBytes) return nullptr;
    const uint64_t whole = (bytes + 63) / 64 * 64;
    void* memory = std::aligned_alloc(64, whole == 0 ? 64 : whole);
    if (memory == nullptr) return nullptr;
    std::memset(memory, 0, whole);
    memory_.push_back(memory);
    return memory;
  }

  void Free(void* memory) noexcept override {
    if (std::erase(memory_, memory) > 0) std::free(memory);
  }

  Status Copy(void* to, const void* from, uint64_t bytes, tenon::CopyKind) noexcept override {
    std::memcpy(to, from, bytes);
    return Status::kOk;
  }

  Status Run(tenon::Span<const tenon::Step> steps, const Batch& batch,
             uint64_t* nanoseconds) noexcept override {
    using Clock = std::chrono::steady_clock;
    auto failure = static_cast<int32_t>(Status::kOk);
    for (uint64_t i = 0; i < steps.size; ++i) {
      const Clock::time_point start = Clock::now();
      int64_t next_piece = 0;
      const Lane lane = {0, 1, nullptr, &next_piece, nullptr, nullptr, &failure};
      steps[i].op->Run(batch, lane);
      if (nanoseconds != nullptr) {
        nanoseconds[i] += static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
      }
    }
    return static_cast<Status>(failure);
  }

  void ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                   void* context) noexcept override {
    for (int64_t i = 0; i < count; ++i) fn(context, i);
  }

  Status Plan(const OpSpec& spec, tenon::PlannedOp* out) noexcept override {
    constexpr struct {
      std::string_view kind;
      RowOp::Work work;
    } kOps[] = {{tenon::kAdd, Add},
                {tenon::kGlu, Glu},
                {tenon::kSoftCap, SoftCap},
                {tenon::kRmsNorm, RmsNorm}};
    for (const auto& [kind, work] : kOps) {
      if (kind != std::string_view(spec.kind)) continue;
      ops_.push_back(std::make_unique<RowOp>(spec, work));
      *out = {ops_.back().get(), tenon::Split::kRows, 0, 0};
      return Status::kOk;
    }
    return host_.Fail(Status::kUnsupported,
                      "add, glu, soft_cap and rms_norm are all that there is");
  }

 private:
  tenon::Host& host_;
  std::vector<void*> memory_;
  std::vector<std::unique_ptr<RowOp>> ops_;
};

}  // namespace first

namespace {

constexpr tenon::ComponentInfo kComponent = tenon::Describe<first::Sample>(
    tenon::Family::kDevice, "first.sample", "One lane, and four ops.", 0,
    tenon::Claim(tenon::Capability::kDeviceCpu));

}  // namespace

TENON_PLUGIN("first.device.sample", "1.0.0", "Apache-2.0", &kComponent);
