// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "tenon/attention.h"
#include "tenon/component.h"
#include "tenon/device.h"

namespace first {

class SampleOp;

// Softmax attention as kAttention of tenon/ops.h says it, on the CPU: causal, with sliding windows
// and soft caps; no sinks, no tree mask. K and V are f32, and one page holds a whole sequence.
class Sample final : public tenon::Component, public tenon::Attention {
 public:
  static constexpr tenon::OptionInfo kOptions[] = {
      {"kv_type", tenon::OptionType::kString, "f32", "How K and V are stored.", 0, 0, "f32"},
  };

  explicit Sample(const tenon::CreateArgs& args);
  ~Sample();
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  void* Query(const char* name) noexcept override {
    return tenon::Offer<tenon::Attention>(this, name);
  }
  tenon::Status LayOut(const tenon::AttentionParams& layer, int32_t max_context,
                       tenon::KvLayout* out) noexcept override;
  tenon::Status Plan(const tenon::OpSpec& spec, tenon::PlannedOp* out) noexcept override;

 private:
  tenon::Status CheckOperands(const tenon::OpSpec& spec) noexcept;

  tenon::Host& host_;
  tenon::Device* const device_;
  int32_t max_context_ = 0;  // 0 before LayOut
  std::vector<std::unique_ptr<SampleOp>> ops_;
};

}  // namespace first
