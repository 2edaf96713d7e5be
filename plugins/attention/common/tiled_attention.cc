// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/tiled_attention.h"

#include <new>
#include <stdexcept>
#include <string>

#include "plugins/attention/common/rope_pass.h"
#include "plugins/attention/common/rope_spec.h"

namespace tenon::attention {

TiledAttention::TiledAttention(const CreateArgs& args, int32_t page_tokens)
    : host_(*args.host),
      device_(args.device),
      kv_type_(KvTypeOf(args.options)),
      page_tokens_(page_tokens) {
  if (page_tokens % cpu::kKvBlockSlots != 0) {
    throw std::invalid_argument("page_tokens is " + std::to_string(page_tokens) +
                                "; a multiple of 16 is needed");
  }
}

TiledAttention::~TiledAttention() = default;

void* TiledAttention::Query(const char* interface_name) noexcept {
  return Offer<Attention, Pass>(this, interface_name);
}

int32_t TiledAttention::BlocksInPage() const {
  const int32_t slots = page_tokens_ > 0 ? page_tokens_ : max_context_;
  return slots / cpu::kKvBlockSlots + (slots % cpu::kKvBlockSlots != 0 ? 1 : 0);
}

Status TiledAttention::LayOut(const AttentionParams& layer, int32_t max_context,
                              KvLayout* out) noexcept {
  if (Status s = CheckLayer(host_, layer); s != Status::kOk) return s;
  if (Status s = CheckKvType(host_, layer, kv_type_); s != Status::kOk) return s;
  if (max_context < 1) {
    return host_.Fail(Status::kInvalid, "the longest context must have at least one slot");
  }
  max_context_ = max_context;
  out->page_tokens = page_tokens_ > 0 ? page_tokens_ : max_context;
  out->page_bytes = PageBytes(layer, kv_type_, BlocksInPage());
  return Status::kOk;
}

Status TiledAttention::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  if (Status s = CheckDevice(host_, device_); s != Status::kOk) return s;
  try {
    if (IsBidirectional(spec)) return PlanBidirectional(spec, out);
    return IsRopeAttention(spec) ? PlanWithRope(spec, out) : PlanTiled(spec, {}, out);
  } catch (const std::bad_alloc&) {
    return host_.Fail(Status::kOutOfMemory, "no memory to plan attention");
  }
}

Status TiledAttention::Rewrite(ProgramEditor& program) noexcept {
  if (device_ == nullptr || !(device_->Info().kind == Str("cpu"))) return Status::kOk;
  try {
    JoinRopes(program);
  } catch (const std::bad_alloc&) {
    return host_.Fail(Status::kOutOfMemory, "no memory to join rope and attention");
  }
  return Status::kOk;
}

Status TiledAttention::PlanWithRope(const OpSpec& spec, PlannedOp* out) {
  RopeSpec rope;
  if (Status s = ReadRope(host_, spec, &rope); s != Status::kOk) return s;
  const int32_t tokens = spec.inputs.size > 0 ? spec.inputs[0].max_rows : 0;
  Rotation rotation;
  uint64_t bytes = 0;
  const Status status = rotations_.Get(rope.params, rope.inverse_frequency, Isa(), device_, tokens,
                                       &rotation, &bytes);
  if (status != Status::kOk) return host_.Fail(status, "no memory for the angles of a rotation");
  if (Status s = PlanTiled(AttentionAlone(spec), rotation, out); s != Status::kOk) return s;
  out->scratch_bytes += bytes;
  return Status::kOk;
}

Status TiledAttention::PlanTiled(const OpSpec& spec, const Rotation& rotation, PlannedOp* out) {
  AttentionOperands operands;
  if (Status s = ReadSpec(host_, spec, &operands); s != Status::kOk) return s;
  if (Status s = CheckKvType(host_, operands.Stored(), kv_type_); s != Status::kOk) return s;
  if (max_context_ == 0) {
    return host_.Fail(Status::kInvalid, "attention was planned before its pages were laid out");
  }
  const uint64_t page_bytes = PageBytes(operands.Stored(), kv_type_, BlocksInPage());
  if (Status s = CheckPages(host_, spec, page_bytes); s != Status::kOk) return s;
  const TiledOp::Parts parts = {cpu::AttentionKernelsFor(Isa()), rotation, scratch_};
  auto op = std::make_unique<TiledOp>(operands, kv_type_, BlocksInPage(), parts);
  const LaneNeeds needs = op->Needs(max_context_);
  return Keep(std::move(op), needs, &tiled_, out);
}

Status TiledAttention::PlanBidirectional(const OpSpec& spec, PlannedOp* out) {
  BidirectionalOperands operands;
  if (Status s = ReadSpec(host_, spec, &operands); s != Status::kOk) return s;
  auto op = std::make_unique<BidirectionalOp>(operands, cpu::AttentionKernelsFor(Isa()), scratch_);
  const LaneNeeds needs = op->Needs();
  return Keep(std::move(op), needs, &bidirectional_, out);
}

// The level that the device says it uses, or the best one here.
cpu::Isa TiledAttention::Isa() const {
  const std::string name(std::string_view(device_->Info().isa));
  const cpu::IsaChoice choice = cpu::ChooseIsa(name.c_str());
  return choice.status == Status::kOk ? choice.isa : cpu::ActiveIsa();
}

template <typename MadeOp>
Status TiledAttention::Keep(std::unique_ptr<MadeOp> op, const LaneNeeds& needs,
                            std::vector<std::unique_ptr<MadeOp>>* ops, PlannedOp* out) {
  uint64_t bytes = 0;
  if (scratch_.Reserve(device_, needs, &bytes) != Status::kOk) {
    return host_.Fail(Status::kOutOfMemory, "no memory for the working buffers of attention");
  }
  ops->push_back(std::move(op));
  *out = {ops->back().get(), Split::kAny, 0, bytes};
  return Status::kOk;
}

}  // namespace tenon::attention
