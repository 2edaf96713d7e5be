// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/native.h"

#include <string_view>

#include "plugins/quant/common/cpu_device.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/native/linear.h"
#include "plugins/quant/native/workspace.h"

namespace tenon::quant {
NativeQuant::NativeQuant(const CreateArgs& args)
    : host_(*args.host),
      device_(*args.device),
      isa_(IsaOfDevice(args.device->Info(), "native")),
      int8_(args.options.Text("activations") == Str("int8")),
      workspace_(std::make_unique<NativeWorkspace>(*args.device)),
      arena_(*args.device) {}

NativeQuant::~NativeQuant() = default;

Status NativeQuant::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  try {
    LinearSpec linear;
    if (Status status = ReadLinear(host_, spec, &linear); status != Status::kOk) return status;
    auto op = std::make_unique<NativeLinear>(device_, arena_, *workspace_, isa_);
    PlannedOp planned{op.get(), Split::kAny, 0, 0};
    Status status = op->Load(linear, int8_, &planned.weight_bytes);
    if (status == Status::kOk) status = op->Reserve(&planned.scratch_bytes);
    if (status != Status::kOk) {
      return Refuse(host_, status, spec, "no memory for the packed weights or their scratch");
    }
    ops_.push_back(std::move(op));
    *out = planned;
    return Status::kOk;
  } catch (const std::exception& error) {
    return host_.Fail(Status::kOutOfMemory, std::string_view(error.what()));
  }
}

}  // namespace tenon::quant
