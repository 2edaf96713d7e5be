// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/native.h"

#include <string_view>

#include "kernels/cpu/int8_panels.h"
#include "plugins/quant/common/cpu_device.h"
#include "plugins/quant/common/grouped_spec.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/native/fuse.h"
#include "plugins/quant/native/fused_linear.h"
#include "plugins/quant/native/grouped.h"
#include "plugins/quant/native/late_add.h"
#include "plugins/quant/native/linear.h"
#include "plugins/quant/native/workspace.h"

namespace tenon::quant {

NativeQuant::NativeQuant(const CreateArgs& args)
    : host_(*args.host),
      device_(*args.device),
      isa_(IsaOfDevice(args.device->Info(), "native")),
      int8_(args.options.Text("activations") == Str("int8")),
      mapped_experts_(args.options.Text("experts") == Str("mapped")),
      fuse_(args.options.Bool("fuse")),
      workspace_(std::make_unique<NativeWorkspace>(*args.device)),
      arena_(*args.device) {}

NativeQuant::~NativeQuant() = default;

Status NativeQuant::PlanLinear(const OpSpec& spec, PlannedOp* out) {
  LinearSpec linear;
  if (Status status = ReadLinear(host_, spec, &linear); status != Status::kOk) return status;
  auto op = std::make_unique<NativeLinear>(device_, arena_, *workspace_, isa_);
  PlannedOp planned{op.get(), Split::kAny, 0, 0};
  Status status = op->Load(linear, int8_, &planned.weight_bytes);
  if (status == Status::kOk) status = op->Reserve(&planned.scratch_bytes);
  if (status != Status::kOk) {
    return Refuse(host_, status, spec, "no memory for the packed weights or their scratch");
  }
  linears_.push_back(std::move(op));
  *out = planned;
  return Status::kOk;
}

Status NativeQuant::PlanGrouped(const OpSpec& spec, PlannedOp* out) {
  GroupedSpec grouped;
  if (Status status = ReadGrouped(host_, spec, &grouped); status != Status::kOk) return status;
  auto op = std::make_unique<NativeGrouped>(device_, arena_, *workspace_, isa_);
  PlannedOp planned{op.get(), Split::kAny, 0, 0};
  // What every token multiplies with is no expert.
  const bool mapped = mapped_experts_ && grouped.buffers.routed();
  Status status = op->Load(grouped, int8_ && !mapped, !mapped, &planned.weight_bytes);
  if (status == Status::kOk) status = op->Reserve(&planned.scratch_bytes);
  if (status != Status::kOk) {
    return Refuse(host_, status, spec,
                  "no memory for the packed experts or their scratch; quant.experts: mapped leaves "
                  "them in the file");
  }
  grouped_.push_back(std::move(op));
  *out = planned;
  return Status::kOk;
}

Status NativeQuant::PlanFused(const OpSpec& spec, PlannedOp* out) {
  auto op = std::make_unique<FusedLinear>(device_, arena_, *workspace_, isa_);
  PlannedOp planned{op.get(), Split::kAny, 0, 0};
  if (Status status = op->Load(host_, spec, &planned); status != Status::kOk) return status;
  fused_.push_back(std::move(op));
  *out = planned;
  return Status::kOk;
}

Status NativeQuant::PlanLateAdd(const OpSpec& spec, PlannedOp* out) {
  auto op = std::make_unique<LateAdd>(*workspace_, isa_);
  PlannedOp planned{op.get(), Split::kRows, 0, 0};
  if (Status status = op->Load(host_, arena_, spec, &planned); status != Status::kOk) return status;
  late_adds_.push_back(std::move(op));
  *out = planned;
  return Status::kOk;
}

Status NativeQuant::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  try {
    if (spec.kind == Str(kFusedLinear)) return PlanFused(spec, out);
    if (spec.kind == Str(kLateAdd)) return PlanLateAdd(spec, out);
    return spec.kind == Str(kGroupedLinear) ? PlanGrouped(spec, out) : PlanLinear(spec, out);
  } catch (const std::exception& error) {
    return host_.Fail(Status::kOutOfMemory, std::string_view(error.what()));
  }
}

Status NativeQuant::Rewrite(ProgramEditor& program) noexcept {
  if (!int8_ || !fuse_) return Status::kOk;
  try {
    FuseLinears(program, *this);
    return Status::kOk;
  } catch (const std::exception& error) {
    return host_.Fail(Status::kOutOfMemory, std::string_view(error.what()));
  }
}

uint64_t NativeQuant::WeightBytes(const Node& node) noexcept {
  const bool routed = node.kind == Str(kGroupedLinear) && node.inputs.size > 1;
  if (!int8_ || (routed && mapped_experts_)) return 0;
  uint64_t bytes = 0;
  for (const Weight& weight : node.weights) {
    const Tensor& w = weight.tensor;
    if (weight.scales.data != nullptr || !cpu::CanPackInt8(w.dtype)) continue;
    const int64_t panels = (w.rows + cpu::kInt8PanelRows - 1) / cpu::kInt8PanelRows;
    bytes += static_cast<uint64_t>(panels * cpu::Int8PanelBytes(w.dtype, w.columns));
  }
  return bytes;
}

}  // namespace tenon::quant
