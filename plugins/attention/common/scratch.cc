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
         ViewFloats(needs.rows);
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
  if (parts_ == nullptr && lanes_ > 1) {
    const uint64_t part_bytes = sizeof(float) * kPartFloatsPerLane * static_cast<uint64_t>(lanes_);
    const uint64_t arrival_bytes =
        sizeof(int32_t) * Pieces::kItemsPerLane * static_cast<uint64_t>(lanes_);
    parts_ = static_cast<float*>(device->Allocate(part_bytes));
    arrivals_ = static_cast<int32_t*>(device->Allocate(arrival_bytes));
    if (parts_ == nullptr || arrivals_ == nullptr) return Status::kOutOfMemory;
    part_floats_ = kPartFloatsPerLane * lanes_;
    *bytes += part_bytes + arrival_bytes;
  }
  const int64_t floats = LaneFloats(needs);
  if (floats <= lane_floats_) return Status::kOk;
  const uint64_t lane_bytes = sizeof(float) * static_cast<uint64_t>(floats * lanes_);
  float* memory = static_cast<float*>(device->Allocate(lane_bytes));
  if (memory == nullptr) return Status::kOutOfMemory;
  *bytes += lane_bytes - sizeof(float) * static_cast<uint64_t>(lane_floats_ * lanes_);
  device->Free(lane_memory_);
  lane_memory_ = memory;
  lane_floats_ = floats;
  return Status::kOk;
}

Scratch::Lane Scratch::ForLane(int32_t lane, const LaneNeeds& needs) const {
  float* next = lane_memory_ + lane_floats_ * lane;
  const auto take = [&next](int64_t floats) {
    float* taken = next;
    next += floats;
    return taken;
  };
  Lane out;
  out.q = reinterpret_cast<const float**>(take(PointerFloats(needs.rows)));
  out.values = take(int64_t{needs.rows} * needs.value_stride);
  out.part = take(int64_t{cpu::kAttentionRows} * needs.value_stride);
  out.scores = take(cpu::kAttentionRows * cpu::kAttentionTileSlots);
  out.max = take(Lines(needs.rows));
  out.sum = take(Lines(needs.rows));
  out.views = reinterpret_cast<cpu::RowView*>(take(ViewFloats(needs.rows)));
  return out;
}

}  // namespace tenon::attention
