// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/row_tiles.h"

#include <algorithm>
#include <cmath>

namespace tenon::attention {

RowTiles::RowTiles(const cpu::AttentionKernels& kernels, const cpu::KvBlock& block, float scale,
                   float soft_cap, const Scratch::Lane& own)
    : kernels_(kernels),
      block_(block),
      stride_(block.value_stride()),
      scale_(scale),
      soft_cap_(soft_cap),
      own_(own) {}

void RowTiles::Clear(int32_t rows) const {
  std::fill_n(own_.max, rows, -INFINITY);
  std::fill_n(own_.sum, rows, 0.0f);
  std::fill_n(own_.values, int64_t{rows} * stride_, 0.0f);
}

void RowTiles::Attend(int32_t tile, const uint8_t* const* blocks, const uint8_t* const* next,
                      int32_t rows, float* parts) const {
  cpu::AttentionTile work{};
  work.block = block_;
  work.scale = scale_;
  work.soft_cap = soft_cap_;
  work.blocks = blocks;
  work.next = next;
  work.scores = own_.scores;
  for (int32_t r = 0; r < rows; r += kRows) {
    work.rows = std::min(kRows, rows - r);
    AttendRows(tile, r, work, parts == nullptr ? nullptr : parts + r * PartFloats(block_));
  }
}

// A tile that none of the rows sees leaves them as they are, which is also what merging the tile
// would do.
void RowTiles::AttendRows(int32_t tile, int32_t first_row, cpu::AttentionTile work,
                          float* parts) const {
  const int32_t first_slot = tile * cpu::kAttentionTileSlots;
  cpu::RowView views[kRows];
  float max[kRows], sum[kRows];
  work.begin = cpu::kAttentionTileSlots;
  work.end = 0;
  for (int32_t r = 0; r < work.rows; ++r) {
    views[r] = own_.views[first_row + r];
    views[r].begin -= first_slot;
    views[r].end -= first_slot;
    views[r].hidden_first -= first_slot;
    max[r] = -INFINITY;
    sum[r] = 0;
    work.begin = std::min(work.begin, std::max(0, views[r].begin));
    work.end = std::max(work.end, std::min(cpu::kAttentionTileSlots, views[r].end));
  }
  work.q = own_.q + first_row;
  work.views = views;
  work.part = parts != nullptr ? parts + Scratch::kPartHeader : own_.part;
  work.part_stride = parts != nullptr ? PartFloats(block_) : stride_;
  work.max = max;
  work.sum = sum;
  if (work.begin < work.end) kernels_.attend(work);
  for (int32_t r = 0; r < work.rows; ++r) {
    if (parts != nullptr) {
      parts[r * PartFloats(block_)] = max[r];
      parts[r * PartFloats(block_) + 1] = sum[r];
    } else {
      Merge(max[r], sum[r], own_.part + int64_t{r} * stride_, first_row + r);
    }
  }
}

void RowTiles::MergePart(const float* part, int32_t row) const {
  Merge(part[0], part[1], part + Scratch::kPartHeader, row);
}

void RowTiles::Merge(float max, float sum, const float* part, int32_t row) const {
  cpu::AttentionRow running = {own_.max[row], own_.sum[row], own_.values + int64_t{row} * stride_};
  kernels_.merge(max, sum, part, stride_, &running);
  own_.max[row] = running.max;
  own_.sum[row] = running.sum;
}

void RowTiles::Finish(int32_t row, const float* sink, float* out) const {
  const cpu::AttentionRow result = {own_.max[row], own_.sum[row],
                                    own_.values + int64_t{row} * stride_};
  kernels_.finish(result, sink, block_.value_dim, out);
}

}  // namespace tenon::attention
