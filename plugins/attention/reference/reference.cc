// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/reference/reference.h"

#include <algorithm>
#include <new>

namespace tenon::attention {

ReferenceAttention::ReferenceAttention(const CreateArgs& args)
    : host_(*args.host), device_(args.device), kv_type_(KvTypeOf(args.options)) {}

ReferenceAttention::~ReferenceAttention() = default;

void* ReferenceAttention::Query(const char* interface_name) noexcept {
  return Offer<Attention>(this, interface_name);
}

Status ReferenceAttention::LayOut(const AttentionParams& layer, int32_t max_context,
                                  KvLayout* out) noexcept {
  if (Status s = CheckLayer(host_, layer); s != Status::kOk) return s;
  if (Status s = CheckKvType(host_, layer, kv_type_); s != Status::kOk) return s;
  if (max_context < 1) {
    return host_.Fail(Status::kInvalid, "the longest context must have at least one slot");
  }
  max_context_ = max_context;
  *out = {max_context, ReferencePageBytes(layer, kv_type_, max_context)};
  return Status::kOk;
}

Status ReferenceAttention::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  if (Status s = CheckDevice(host_, device_); s != Status::kOk) return s;
  return IsBidirectional(spec) ? PlanBidirectional(spec, out) : PlanStored(spec, out);
}

Status ReferenceAttention::PlanStored(const OpSpec& spec, PlannedOp* out) noexcept {
  AttentionOperands x;
  if (Status s = ReadSpec(host_, spec, &x); s != Status::kOk) return s;
  if (Status s = CheckKvType(host_, x.Stored(), kv_type_); s != Status::kOk) return s;
  if (max_context_ == 0) {
    return host_.Fail(Status::kInvalid, "attention was planned before its pages were laid out");
  }
  const uint64_t page_bytes = ReferencePageBytes(x.Stored(), kv_type_, max_context_);
  if (Status s = CheckPages(host_, spec, page_bytes); s != Status::kOk) return s;
  return Make<ReferenceOp>(max_context_, &stored_, out, [&](double* scores) {
    return std::make_unique<ReferenceOp>(x, kv_type_, max_context_, device_, scores);
  });
}

Status ReferenceAttention::PlanBidirectional(const OpSpec& spec, PlannedOp* out) noexcept {
  BidirectionalOperands x;
  if (Status s = ReadSpec(host_, spec, &x); s != Status::kOk) return s;
  return Make<BidirectionalReferenceOp>(x.max_rows, &bidirectional_, out, [&](double* scores) {
    return std::make_unique<BidirectionalReferenceOp>(x, device_, scores);
  });
}

template <typename MadeOp, typename Maker>
Status ReferenceAttention::Make(int32_t scores_each, std::vector<std::unique_ptr<MadeOp>>* ops,
                                PlannedOp* out, const Maker& maker) noexcept {
  const uint64_t bytes = sizeof(double) * static_cast<uint64_t>(scores_each) *
                         static_cast<uint64_t>(std::max(1, device_->Info().lanes));
  double* scores = static_cast<double*>(device_->Allocate(bytes));
  if (scores == nullptr) {
    return host_.Fail(Status::kOutOfMemory, "no memory for the scores of attention");
  }
  try {
    ops->reserve(ops->size() + 1);
    ops->push_back(maker(scores));
  } catch (const std::bad_alloc&) {
    device_->Free(scores);
    return host_.Fail(Status::kOutOfMemory, "no memory to plan attention");
  }
  *out = {ops->back().get(), Split::kAny, 0, bytes};
  return Status::kOk;
}

}  // namespace tenon::attention
