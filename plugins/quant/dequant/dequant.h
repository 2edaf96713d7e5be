// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/weight_arena.h"
#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/option.h"
#include "tenon/quant.h"

namespace tenon::quant {

class DequantGrouped;
class DequantLinear;

// The reference: every weight becomes f32 (or bf16) when it is loaded, and is multiplied with the
// activations as they are.
class DequantQuant final : public Component, public Quant, public WeightFootprint {
 public:
  static constexpr OptionInfo kOptions[] = {
      {"weights", OptionType::kString, "f32", "what weights become in memory; bf16 rounds them", 0,
       0, "f32|bf16"},
  };

  // Throws std::runtime_error where the device is no CPU or its ISA is not known here.
  explicit DequantQuant(const CreateArgs& args);
  ~DequantQuant();

  void* Query(const char* name) noexcept override {
    return Offer<Quant, WeightFootprint>(this, name);
  }
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;
  uint64_t WeightBytes(const Node& node) noexcept override;

 private:
  // Makes an op of a checked spec and keeps it.
  template <typename Planned, typename ReadSpec>
  Status PlanAs(const OpSpec& spec, const ReadSpec& read,
                std::vector<std::unique_ptr<Planned>>& ops, PlannedOp* out);

  Host& host_;
  Device& device_;
  cpu::Isa isa_;
  DType type_;  // kF32 or kBF16
  WeightArena arena_;
  std::vector<std::unique_ptr<DequantLinear>> linears_;
  std::vector<std::unique_ptr<DequantGrouped>> grouped_;
};

}  // namespace tenon::quant
