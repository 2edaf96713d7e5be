// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cpu/rope.h"
#include "plugins/device/cpu/memory.h"
#include "tenon/op.h"

namespace tenon::cpu {

// The cosines and sines of a step's rows, shared by all rope ops with the same frequencies: the
// first of them in a step fills a row, those of the other layers find it there. A row is known by
// its position, so nothing has to be reset between steps. Kept by row and not by position: a row
// belongs to one lane, which therefore needs no meeting, and the table is no longer than a batch.
class RopeTable {
 public:
  RopeTable(std::span<const float> inverse_frequency, float magnitude, RowSet rows,
            int32_t max_rows);
  // Takes its memory; false if there is none.
  bool Reserve(HostMemory* memory);

  bool Serves(std::span<const float> inverse_frequency, float magnitude, RowSet rows,
              int32_t max_rows) const;
  uint64_t bytes() const;
  int64_t pairs() const { return static_cast<int64_t>(inverse_frequency_.size()); }

  // The row's [pairs] cosines; the sines follow them. Thread: the lane that the row belongs to.
  // REQUIRES: 0 <= row < max_rows.
  const float* Row(const RopeFunctions& rope, int32_t row, int32_t position) noexcept {
    float* cosines = values_ + 2 * pairs() * row;
    const uint64_t tag = kFilled | static_cast<uint32_t>(position);
    if (tags_[row] != tag) {
      rope.angles(inverse_frequency_.data(), pairs(), position, magnitude_, cosines,
                  cosines + pairs());
      tags_[row] = tag;
    }
    return cosines;
  }

 private:
  static constexpr uint64_t kFilled = uint64_t{1} << 32;

  const std::vector<float> inverse_frequency_;
  const float magnitude_;
  const RowSet rows_;
  const int32_t max_rows_;
  uint64_t* tags_ = nullptr;  // [max_rows], 0 at first
  float* values_ = nullptr;   // [max_rows, 2, pairs]
};

// The tables of a device. Thread: the host's, while nothing runs.
class RopeTables {
 public:
  // The table for that key, made if there is none; `*made_bytes` is what it took now. Null where
  // there is no memory.
  RopeTable* Get(HostMemory* memory, std::span<const float> inverse_frequency, float magnitude,
                 RowSet rows, int32_t max_rows, uint64_t* made_bytes);

 private:
  std::vector<std::unique_ptr<RopeTable>> tables_;
};

}  // namespace tenon::cpu
