// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/lora.h"

#include <string>
#include <string_view>
#include <utility>

#include "plugins/quant/common/cpu_device.h"
#include "tenon/ops.h"

namespace tenon::quant {
namespace {

bool Overlap(const Operand& a, const Operand& b) {
  return a.value == b.value && a.first_column < b.first_column + b.columns &&
         b.first_column < a.first_column + a.columns;
}

Status Refuse(Host& host, Status status, Str op, const char* why) {
  const std::string text = std::string(std::string_view(op)).append(": ").append(why);
  return host.Fail(status, std::string_view(text));
}

bool Fits(const OpSpec& spec, const std::vector<LoraPart>& parts) {
  if (spec.inputs.size != 2 || spec.outputs.size != 1) return false;
  const Buffer& x = spec.inputs[0];
  const Buffer& out = spec.outputs[0];
  if (x.dtype != DType::kF32 || out.dtype != DType::kF32 || x.rows != out.rows) return false;
  for (const LoraPart& part : parts) {
    if (part.a.columns != x.columns || part.first_column + part.b.rows > out.columns) return false;
  }
  return true;
}

}  // namespace

LoraAdapter::LoraAdapter(const CreateArgs& args)
    : host_(*args.host),
      isa_(IsaOfDevice(args.device->Info(), "lora")),
      workspace_(*args.device),
      arena_(*args.device) {}

Status LoraAdapter::InsertBehind(ProgramEditor& program, int32_t at, std::vector<LoraPart> parts) {
  const Node linear = program.At(at);
  const Operand inputs[] = {linear.inputs[0], linear.outputs[0]};
  if (Overlap(inputs[0], inputs[1])) {
    return Refuse(host_, Status::kUnsupported, linear.name,
                  "it writes over its own input, which an adapter needs after it");
  }
  const std::string name = std::string(std::string_view(linear.name)) + ".lora";
  const LoraParams params{sites_.size()};
  sites_.push_back(std::move(parts));
  Node node;
  node.kind = kLora;
  node.name = Str(std::string_view(name));
  node.family = Family::kQuant;
  node.maker = this;
  node.inputs = {inputs, 2};
  node.outputs = {&inputs[1], 1};
  node.params = &params;
  node.params_bytes = sizeof(params);
  program.Insert(at + 1, node);
  return Status::kOk;
}

Status LoraAdapter::Rewrite(ProgramEditor& program, Span<const AdapterDelta> deltas) noexcept {
  try {
    LoraSites found = FindLoraSites(program, deltas);
    if (!found.problem.empty()) {
      return host_.Fail(Status::kInvalid, std::string_view(found.problem));
    }
    // From the back, so that the indices of those before stay what they are.
    for (auto site = found.sites.rbegin(); site != found.sites.rend(); ++site) {
      const Status status = InsertBehind(program, site->at, std::move(site->parts));
      if (status != Status::kOk) return status;
    }
    return Status::kOk;
  } catch (const std::exception& error) {
    return host_.Fail(Status::kOutOfMemory, std::string_view(error.what()));
  }
}

Status LoraAdapter::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  try {
    if (!(spec.kind == Str(kLora))) {
      return Refuse(host_, Status::kUnsupported, spec.name, "only ops of kind lora are made here");
    }
    const uint64_t site = ParamsOf<LoraParams>(spec).site;
    if (site >= sites_.size() || !Fits(spec, sites_[site])) {
      return Refuse(host_, Status::kInvalid, spec.name,
                    "its operands are not the f32 input and output of the linear before it");
    }
    auto op = std::make_unique<LoraOp>(arena_, workspace_, isa_);
    PlannedOp planned;
    planned.op = op.get();
    planned.split = Split::kRows;
    const Status status = op->Load(sites_[site], spec.inputs[0], spec.outputs[0], &planned);
    if (status != Status::kOk) {
      return Refuse(host_, status, spec.name, "no memory for its adapters or their scratch");
    }
    ops_.push_back(std::move(op));
    *out = planned;
    return Status::kOk;
  } catch (const std::exception& error) {
    return host_.Fail(Status::kOutOfMemory, std::string_view(error.what()));
  }
}

}  // namespace tenon::quant
