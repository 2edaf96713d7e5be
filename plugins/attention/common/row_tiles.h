// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/attention.h"
#include "plugins/attention/common/scratch.h"

namespace tenon::attention {

// The query rows of one item, shown tile after tile of slots: each tile is computed on its own, and
// its result merged into the rows, or kept as a part for later. What the rows are, and what they
// may see, stands in the lane's `q` and `views`.
class RowTiles {
 public:
  RowTiles(const cpu::AttentionKernels& kernels, const cpu::KvBlock& block, float scale,
           float soft_cap, const Scratch::Lane& own);

  // Floats of a part: Scratch::kPartHeader, max and sum first, then the values.
  static int64_t PartFloats(const cpu::KvBlock& block) {
    return Scratch::kPartHeader + block.value_stride();
  }

  // Makes the first `rows` rows begin anew.
  void Clear(int32_t rows) const;
  // Slots [128 * tile, 128 * tile + 128) to all `rows` rows, in blocks at `blocks` [8], of which
  // only those that a row sees are read. Row r's part goes to parts + r * PartFloats, or with null
  // parts into the row. next: see AttentionTile.
  void Attend(int32_t tile, const uint8_t* const* blocks, const uint8_t* const* next, int32_t rows,
              float* parts) const;
  void MergePart(const float* part, int32_t row) const;
  // out [value_dim] of a row. sink: see AttentionKernels.
  void Finish(int32_t row, const float* sink, float* out) const;

 private:
  static constexpr int32_t kRows = cpu::kAttentionRows;

  void AttendRows(int32_t tile, int32_t first_row, cpu::AttentionTile work, float* parts) const;
  void Merge(float max, float sum, const float* part, int32_t row) const;

  const cpu::AttentionKernels& kernels_;
  const cpu::KvBlock block_;
  const int32_t stride_;  // floats of a row of values
  const float scale_;
  const float soft_cap_;
  const Scratch::Lane& own_;
};

}  // namespace tenon::attention
