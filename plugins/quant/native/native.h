// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/weight_arena.h"
#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/option.h"
#include "tenon/program.h"
#include "tenon/quant.h"

namespace tenon::quant {

struct NativeWorkspace;
class FusedLinear;
class LateAdd;
class NativeGrouped;
class NativeLinear;

// Weights as stored. With int8 activations the block types are interleaved once, at Plan, and
// multiplied in integers; other types, weights with scales, mapped experts and everything with f32
// activations are read where the file is mapped. As a pass, with int8 activations, it joins linears
// with the norms before and the activations behind them; see fuse.h.
class NativeQuant final : public Component, public Quant, public WeightFootprint, public Pass {
 public:
  static constexpr OptionInfo kOptions[] = {
      {"activations", OptionType::kString, "int8",
       "int8: inputs rounded in blocks of 32, fast; f32: exact", 0, 0, "int8|f32"},
      {"experts", OptionType::kString, "packed",
       "packed: as other weights; mapped: left in the file until routed to, and multiplied exactly",
       0, 0, "packed|mapped"},
      {"fuse", OptionType::kBool, "true",
       "norms and activations joined with the linears beside them; same results", 0, 0, ""},
  };

  // Throws std::runtime_error where the device is no CPU or its ISA is not known here.
  explicit NativeQuant(const CreateArgs& args);
  ~NativeQuant();

  void* Query(const char* name) noexcept override {
    return Offer<Quant, WeightFootprint, Pass>(this, name);
  }
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;
  uint64_t WeightBytes(const Node& node) noexcept override;
  Status Rewrite(ProgramEditor& program) noexcept override;

 private:
  Status PlanLinear(const OpSpec& spec, PlannedOp* out);
  Status PlanGrouped(const OpSpec& spec, PlannedOp* out);
  Status PlanFused(const OpSpec& spec, PlannedOp* out);
  Status PlanLateAdd(const OpSpec& spec, PlannedOp* out);

  Host& host_;
  Device& device_;
  cpu::Isa isa_;
  bool int8_;
  bool mapped_experts_;
  bool fuse_;
  std::unique_ptr<NativeWorkspace> workspace_;
  WeightArena arena_;
  std::vector<std::unique_ptr<NativeLinear>> linears_;
  std::vector<std::unique_ptr<NativeGrouped>> grouped_;
  std::vector<std::unique_ptr<FusedLinear>> fused_;
  std::vector<std::unique_ptr<LateAdd>> late_adds_;
};

}  // namespace tenon::quant
