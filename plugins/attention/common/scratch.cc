// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/scratch.h"

#include <algorithm>

#include "plugins/attention/common/pieces.h"

namespace tenon::attention {
namespace {

constexpr int64_t kPartFloatsPerLane = int64_t{1} << 19;

int64_t Lines(int64_t floats) { return (floats + 15) / 16 * 16; }

int64_t ViewFloats(int32_t rows) {
  return Lines(rows * static_cast<int64_t>(sizeof(cpu::RowView) / sizeof(float)));
}

int64_t PointerFloats(int32_t rows) {
  return Lines(int64_t{rows} * 2);  // a pointer is as long as two floats
}

int64_t LaneFloats(const LaneNeeds& needs) {
  return PointerFloats(needs.rows) +
         (int64_t{needs.rows} + cpu::kAttentionRows) * needs.value_stride +
         cpu::kAttentionRows * cpu::kAttentionTileSlots + 2 * Lines(needs.rows) +
         ViewFloats(needs.rows) + Lines(needs.packed_floats);
}

// Replaces a run of *held floats by one of `floats` if that is longer.
Status Grow(Device* device, int64_t floats, float** memory, int64_t* held, uint64_t* bytes) {
  if (floats <= *held) return Status::kOk;
  float* longer =
      static_cast<float*>(device->Allocate(sizeof(float) * static_cast<uint64_t>(floats)));
  if (longer == nullptr) return Status::kOutOfMemory;
  device->Free(*memory);
  *bytes += sizeof(float) * static_cast<uint64_t>(floats - *held);
  *memory = longer;
  *held = floats;
  return Status::kOk;
}

}  // namespace

Scratch::~Scratch() {
  if (device_ == nullptr) return;
  device_->Free(lane_memory_);
  device_->Free(parts_);
  device_->Free(arrivals_);
}

Status Scratch::Reserve(Device* device, const LaneNeeds& needs, uint64_t* bytes) {
  device_ = device;
  lanes_ = std::max(1, device->Info().lanes);
  if (lanes_ > 1) {
    const int64_t parts = std::max(kPartFloatsPerLane * lanes_, needs.part_floats);
    if (Status s = ReserveParts(parts, bytes); s != Status::kOk) return s;
  }
  return ReserveLanes(LaneFloats(needs), bytes);
}

Status Scratch::ReserveParts(int64_t floats, uint64_t* bytes) {
  if (arrivals_ == nullptr) {
    const uint64_t arrival_bytes =
        sizeof(int32_t) * Pieces::kItemsPerLane * static_cast<uint64_t>(lanes_);
    arrivals_ = static_cast<int32_t*>(device_->Allocate(arrival_bytes));
    if (arrivals_ == nullptr) return Status::kOutOfMemory;
    *bytes += arrival_bytes;
  }
  return Grow(device_, floats, &parts_, &part_floats_, bytes);
}

Status Scratch::ReserveLanes(int64_t floats, uint64_t* bytes) {
  int64_t held = lane_floats_ * lanes_;
  const Status status = Grow(device_, floats * lanes_, &lane_memory_, &held, bytes);
  if (status == Status::kOk) lane_floats_ = held / lanes_;
  return status;
}

Scratch::Lane Scratch::ForLane(int32_t lane, const LaneNeeds& needs) const {
  float* next = lane_memory_ + lane_floats_ * lane;
  const auto take = [&next](int64_t floats) {
    float* taken = next;
    next += floats;
    return taken;
  };
  Lane out;
  out.index = lane;
  out.q = reinterpret_cast<const float**>(take(PointerFloats(needs.rows)));
  out.values = take(int64_t{needs.rows} * needs.value_stride);
  out.part = take(int64_t{cpu::kAttentionRows} * needs.value_stride);
  out.scores = take(cpu::kAttentionRows * cpu::kAttentionTileSlots);
  out.max = take(Lines(needs.rows));
  out.sum = take(Lines(needs.rows));
  out.views = reinterpret_cast<cpu::RowView*>(take(ViewFloats(needs.rows)));
  out.packed = take(needs.packed_floats);
  return out;
}

}  // namespace tenon::attention
