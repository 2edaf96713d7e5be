// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/lora/lora_op.h"
#include "plugins/quant/lora/lora_sites.h"
#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/quant.h"

namespace tenon::quant {

// The ops that it inserts: behind a linear, inputs {x of the linear, its output}, outputs {its
// output}.
inline constexpr const char* kLora = "lora";
struct LoraParams {
  uint64_t site;  // index of what belongs there
};

// LoRA adapters, any number of them in one batch.
class LoraAdapter final : public Component, public Adapter {
 public:
  // Throws std::runtime_error where the device is no CPU or its ISA is not known here.
  explicit LoraAdapter(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Adapter>(this, name); }
  Status Rewrite(ProgramEditor& program, Span<const AdapterDelta> deltas) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

 private:
  Status InsertBehind(ProgramEditor& program, int32_t at, std::vector<LoraPart> parts);

  Host& host_;
  cpu::Isa isa_;
  LoraWorkspace workspace_;
  WeightArena arena_;
  std::vector<std::vector<LoraPart>> sites_;  // by LoraParams::site
  std::vector<std::unique_ptr<LoraOp>> ops_;
};

}  // namespace tenon::quant
