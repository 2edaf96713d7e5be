// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/quant.h"

namespace first {

class SampleOp;

// Linears on the CPU whose weights become f32 when they are loaded, from f32, f16, bf16 or q8_0.
class Sample final : public tenon::Component, public tenon::Quant, public tenon::WeightFootprint {
 public:
  explicit Sample(const tenon::CreateArgs& args);
  ~Sample();
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  void* Query(const char* name) noexcept override {
    return tenon::Offer<tenon::Quant, tenon::WeightFootprint>(this, name);
  }
  tenon::Status Plan(const tenon::OpSpec& spec, tenon::PlannedOp* out) noexcept override;
  uint64_t WeightBytes(const tenon::Node& node) noexcept override;

 private:
  tenon::Status CheckOperands(const tenon::OpSpec& spec) noexcept;

  tenon::Host& host_;
  tenon::Device* const device_;
  std::vector<std::unique_ptr<SampleOp>> ops_;
};

// `values` stored numbers at `from`, as f32 at `to`. REQUIRES: f32, f16, bf16, or q8_0 with a
// multiple of 32 values.
void Unpack(tenon::DType dtype, const void* from, int64_t values, float* to);

}  // namespace first
