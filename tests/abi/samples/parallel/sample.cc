// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <algorithm>
#include <new>
#include <string>
#include <string_view>

#include "tenon/ops.h"

namespace first {

tenon::Status SingleRank::AllReduceSum(float*, uint64_t, void*) noexcept {
  return tenon::Status::kOk;
}

tenon::Status SingleRank::AllGather(const float* from, float* to, uint64_t count, void*) noexcept {
  if (from != to) std::copy_n(from, count, to);
  return tenon::Status::kOk;
}

tenon::Status SingleRank::ReduceScatterSum(const float* from, float* to, uint64_t count,
                                           void*) noexcept {
  if (from != to) std::copy_n(from, count, to);
  return tenon::Status::kOk;
}

tenon::Status SingleRank::Send(int32_t rank, const void*, uint64_t, void*) noexcept {
  return NoSuchRank(rank);
}

tenon::Status SingleRank::Receive(int32_t rank, void*, uint64_t, void*) noexcept {
  return NoSuchRank(rank);
}

tenon::Status SingleRank::NoSuchRank(int32_t rank) noexcept try {
  const std::string text = "rank " + std::to_string(rank) + " is no other rank; rank 0 is alone";
  return host_.Fail(tenon::Status::kInvalid, std::string_view(text));
} catch (const std::bad_alloc&) {
  return host_.Fail(tenon::Status::kInvalid, "rank 0 is alone");
}

// x[t] = Σ over ranks of x[t], in place. One lane asks the communicator for all rows of the step.
class SampleOp final : public tenon::Op {
 public:
  SampleOp(const tenon::Buffer& x, tenon::Communicator& communicator)
      : x_(x), communicator_(communicator) {}

  void Run(const tenon::Batch& batch, const tenon::Lane& lane) noexcept override {
    if (lane.index != 0) return;
    for (int32_t t = 0; t < tenon::RowCount(batch, x_.rows); ++t) {
      auto* row = reinterpret_cast<float*>(static_cast<uint8_t*>(x_.data) + t * x_.row_bytes);
      const tenon::Status s =
          communicator_.AllReduceSum(row, static_cast<uint64_t>(x_.columns), lane.stream);
      if (s != tenon::Status::kOk) lane.Fail(s);
    }
  }

 private:
  const tenon::Buffer x_;
  tenon::Communicator& communicator_;
};

Sample::Sample(const tenon::CreateArgs& args) : host_(*args.host), rank_(*args.host) {}

Sample::~Sample() = default;

void* Sample::Query(const char* name) noexcept {
  if (std::string_view(name) == tenon::Communicator::kName) {
    return static_cast<tenon::Communicator*>(&rank_);
  }
  return tenon::Offer<tenon::Strategy>(this, name);
}

tenon::Status Sample::Rewrite(tenon::ProgramEditor&, tenon::Communicator* communicator) noexcept {
  if (communicator == nullptr || communicator->Size() == 1) return tenon::Status::kOk;
  return host_.Fail(tenon::Status::kUnsupported,
                    "first.sample leaves the Program whole; one rank allowed");
}

tenon::Status Sample::Plan(const tenon::OpSpec& spec, tenon::PlannedOp* out) noexcept try {
  if (!(spec.kind == tenon::Str(tenon::kAllReduce))) {
    return host_.Fail(tenon::Status::kUnsupported,
                      "first.sample makes ops of kind all_reduce only");
  }
  if (spec.inputs.size != 1 || spec.outputs.size != 1 ||
      spec.inputs[0].data != spec.outputs[0].data || spec.inputs[0].dtype != tenon::DType::kF32) {
    return host_.Fail(tenon::Status::kInvalid, "an all_reduce works in place, on one value in f32");
  }
  ops_.push_back(std::make_unique<SampleOp>(spec.inputs[0], rank_));
  *out = {ops_.back().get(), tenon::Split::kAny, 0, 0};
  return tenon::Status::kOk;
} catch (const std::bad_alloc&) {
  return host_.Fail(tenon::Status::kOutOfMemory, "no memory to plan an all_reduce");
}

}  // namespace first
