// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/attention.h"
#include "tenon/device.h"

namespace tenon::attention {

// What one layer's op needs a lane to hold.
struct LaneNeeds {
  int32_t rows;  // query rows of an item
  int32_t value_stride;
  int64_t packed_floats = 0;  // for operands laid out anew
  // Parts that a step may keep, for all lanes; what every op of the component has room for is
  // 2^19 floats a lane.
  int64_t part_floats = 0;
};

// Working memory of the ops of one component, which run one after another: a run of floats for each
// lane, and the parts of items that are split over their context. Nothing is kept between ops but
// the arrival counters, which are 0 then.
class Scratch {
 public:
  // Before a part's values stand its max and sum.
  static constexpr int32_t kPartHeader = 16;

  struct Lane {
    int32_t index;
    const float** q;      // [rows]
    float* values;        // [rows, value_stride]
    float* part;          // [kAttentionRows, value_stride]
    float* scores;        // [kAttentionRows, 128]
    float* max;           // [rows]
    float* sum;           // [rows]
    cpu::RowView* views;  // [rows]
    float* packed;        // [packed_floats]
  };

  ~Scratch();

  // Makes room for ops that need `needs`; adds to *bytes what that took. kOutOfMemory if there is
  // none. REQUIRES: no op runs. `device` outlives the scratch and has the lanes that it says now.
  Status Reserve(Device* device, const LaneNeeds& needs, uint64_t* bytes);

  Lane ForLane(int32_t lane, const LaneNeeds& needs) const;
  float* parts() const { return parts_; }
  int64_t part_floats() const { return part_floats_; }
  int32_t* arrivals() const { return arrivals_; }  // one for each item of a step that splits items

 private:
  Status ReserveParts(int64_t floats, uint64_t* bytes);
  Status ReserveLanes(int64_t floats, uint64_t* bytes);

  Device* device_ = nullptr;
  int32_t lanes_ = 0;
  int64_t lane_floats_ = 0;
  float* lane_memory_ = nullptr;
  float* parts_ = nullptr;
  int64_t part_floats_ = 0;
  int32_t* arrivals_ = nullptr;
};

}  // namespace tenon::attention
