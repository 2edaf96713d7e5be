// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention.h"
#include "kernels/cpu/attention_storage.h"
#include "kernels/cpu/exp.h"
#include "kernels/cpu/lanes.h"

// The one body of the attention kernels, which attention.cc, _avx2.cc and _avx512.cc each compile
// for their level. Everything is local to its file.
//
// Scores: a block's K is [d][16 slots]; for each d, a few vectors of slots times the broadcast
// q[row][d], accumulators in registers, d ascending. Values: for each slot, a few vectors of V's
// row times the broadcast p[row][slot], slots ascending. Both do rows * vectors multiply-adds for
// rows + vectors loads; with one or a few rows (decode) reading K and V is the limit, with six it
// is the multiply-adds. Scores of latent blocks: for each vector of columns, a few slots' rows
// times q's, columns ascending, then the sum across lanes.
namespace tenon::cpu {

const AttentionKernels& AttentionKernelsGeneric();
const AttentionKernels& AttentionKernelsAvx2();
const AttentionKernels& AttentionKernelsAvx512();

namespace {

constexpr float kMinusInfinity = -__builtin_inff();
constexpr int kBlockVectors = kKvBlockSlots / kFloatLanes;
#if defined(__AVX512F__)
constexpr int kAccumulators = 24;
#else
constexpr int kAccumulators = 12;
#endif

// sum[r][i] += factor(r) * vector(i). The fewer of the two are kept in registers beside the sums:
// sixteen registers hold three rows of four vectors this way, and no other.
template <int kRows, int kVectors, typename Factor, typename Vector>
[[gnu::always_inline]] inline void AddProducts(const Factor& factor, const Vector& vector,
                                               FloatVector (&sum)[kRows][kVectors]) {
  if constexpr (kRows < kVectors) {
    FloatVector factors[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) factors[r] = factor(r);
#pragma GCC unroll 32
    for (int i = 0; i < kVectors; ++i) {
      const FloatVector v = vector(i);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sum[r][i] = MultiplyAdd(factors[r], v, sum[r][i]);
    }
  } else {
    FloatVector vectors[kVectors];
#pragma GCC unroll 32
    for (int i = 0; i < kVectors; ++i) vectors[i] = vector(i);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const FloatVector f = factor(r);
#pragma GCC unroll 32
      for (int i = 0; i < kVectors; ++i) sum[r][i] = MultiplyAdd(f, vectors[i], sum[r][i]);
    }
  }
}

// Vector i of the scales of a block's keys, then of its values.
inline FloatVector ScalesOf(const KvBlock& block, const uint8_t* at, int i) {
  const float* scales = reinterpret_cast<const float*>(at + block.scales_at());
  return LoadVector(scales + i * kFloatLanes);
}

// What a tile reads, in its order: keys of its blocks [first, last), their values, then keys of the
// next tile. Each part is fetched while the one kAhead before it is at work, since pages lie
// anywhere, where no prefetcher of a processor finds the next one. With many rows, parts are at
// work for so long that it would only cost.
template <int kRows>
class Parts {
 public:
  static constexpr bool kFetched = kRows <= 4;

  Parts(const AttentionTile& tile, int32_t first, int32_t last) {
    if constexpr (kFetched) {
      const int32_t blocks = last - first;
      for (int32_t b = 0; b < blocks; ++b) {
        parts_[b] = reinterpret_cast<uintptr_t>(tile.blocks[first + b]);
        parts_[blocks + b] = parts_[b] + tile.block.values_at();
      }
      for (int32_t i = 0; i < kAhead; ++i) {
        parts_[2 * blocks + i] =
            tile.next == nullptr ? 0 : reinterpret_cast<uintptr_t>(tile.next[i]);
      }
    }
  }

  // What is fetched while part i and those behind it are at work.
  const uintptr_t* Ahead(int32_t i) const { return kFetched ? parts_ + i + kAhead : nullptr; }

 private:
  static constexpr int32_t kAhead = 4;
  uintptr_t parts_[kFetched ? 2 * kAttentionTileBlocks + kAhead : 1];
};

constexpr int64_t kLineBytes = 64;

// An address that nothing need lie at: where no block is there is nothing to fetch.
inline void Fetch(uintptr_t address) { __builtin_prefetch(reinterpret_cast<const void*>(address)); }

// scores[r][16 * (b - first block) ...] of kBlocks blocks.
template <typename Stored, int kRows, int kBlocks>
inline void ScoreBlocks(const AttentionTile& tile, const uint8_t* const* blocks,
                        const uintptr_t* ahead, float* scores) {
  using Value = typename Stored::Value;
  constexpr int kVectors = kBlocks * kBlockVectors;
  const Value* keys[kBlocks];
  for (int b = 0; b < kBlocks; ++b) keys[b] = reinterpret_cast<const Value*>(blocks[b]);
  FloatVector sum[kRows][kVectors] = {};
  const float* q[kRows];
  for (int r = 0; r < kRows; ++r) q[r] = tile.q[r];
  const int64_t head_dim = tile.block.head_dim;
  for (int64_t d = 0; d < head_dim; ++d) {
    const int64_t at = d * kKvBlockSlots;
    if constexpr (Parts<kRows>::kFetched) {
      const int64_t byte = at * int64_t{sizeof(Value)};
      if (byte % kLineBytes == 0) {
        for (int b = 0; b < kBlocks; ++b) Fetch(ahead[b] + byte);
      }
    }
    AddProducts<kRows, kVectors>(
        [&](int r) { return Broadcast(q[r][d]); },
        [&](int i) {
          return Stored::Load(keys[i / kBlockVectors] + at + i % kBlockVectors * kFloatLanes);
        },
        sum);
  }
  FloatVector scales[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    scales[i] = Broadcast(tile.scale);
    if constexpr (Stored::kScaled) {
      scales[i] *= ScalesOf(tile.block, blocks[i / kBlockVectors], i % kBlockVectors);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 32
    for (int i = 0; i < kVectors; ++i) {
      StoreVector(scores + r * kAttentionTileSlots + i * kFloatLanes, sum[r][i] * scales[i]);
    }
  }
}

// Blocks [b, end), as many at a time as the registers hold.
template <typename Stored, int kRows, int kBlocks>
inline void ScoreFrom(const AttentionTile& tile, const Parts<kRows>& parts, int32_t first,
                      int32_t b, int32_t end) {
  for (; b + kBlocks <= end; b += kBlocks) {
    ScoreBlocks<Stored, kRows, kBlocks>(tile, tile.blocks + b, parts.Ahead(b - first),
                                        tile.scores + b * kKvBlockSlots);
  }
  if constexpr (kBlocks > 1) ScoreFrom<Stored, kRows, kBlocks / 2>(tile, parts, first, b, end);
}

// scores[r][i] of kSlots slots of a latent block whose rows begin at `keys`.
template <typename Stored, int kRows, int kSlots>
inline void ScoreSlots(const AttentionTile& tile, const typename Stored::Value* keys,
                       float* scores) {
  const int64_t stride = tile.block.key_stride();
  FloatVector sum[kRows][kSlots] = {};
  const float* q[kRows];
  for (int r = 0; r < kRows; ++r) q[r] = tile.q[r];
  for (int64_t d = 0; d < stride; d += kFloatLanes) {
    AddProducts<kRows, kSlots>([&](int r) { return LoadVector(q[r] + d); },
                               [&](int i) { return Stored::Load(keys + i * stride + d); }, sum);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float* row = scores + r * kAttentionTileSlots;
    if constexpr (kSlots % 4 == 0) {
#pragma GCC unroll 2
      for (int i = 0; i < kSlots; i += 4) {
        const F32x4 four = SumLanesOfFour(sum[r] + i) * tile.scale;
        std::memcpy(row + i, &four, sizeof(four));
      }
    } else {
#pragma GCC unroll 4
      for (int i = 0; i < kSlots; ++i) row[i] = SumLanes(sum[r][i]) * tile.scale;
    }
  }
}

template <typename Stored, int kRows, int kSlots>
inline void ScoreLatent(const AttentionTile& tile, int32_t first, int32_t last) {
  const int64_t stride = tile.block.key_stride();
  for (int32_t b = first; b < last; ++b) {
    const auto* keys = reinterpret_cast<const typename Stored::Value*>(tile.blocks[b]);
    float* scores = tile.scores + b * kKvBlockSlots;
    for (int32_t slot = 0; slot < kKvBlockSlots; slot += kSlots) {
      ScoreSlots<Stored, kRows, kSlots>(tile, keys + slot * stride, scores + slot);
    }
  }
}

// part[r][kVectors vectors at `column`] over the tile's slots.
template <typename Stored, int kRows, int kVectors>
inline void SumValues(const AttentionTile& tile, const Parts<kRows>& parts, int32_t column) {
  using Value = typename Stored::Value;
  constexpr int64_t kBytes = int64_t{kVectors * kFloatLanes} * sizeof(Value);
  const int32_t first = tile.begin / kKvBlockSlots;
  const int32_t blocks = (tile.end + kKvBlockSlots - 1) / kKvBlockSlots - first;
  const int32_t stride = tile.block.slot_stride();
  FloatVector sum[kRows][kVectors] = {};
  for (int32_t slot = tile.begin; slot < tile.end;) {
    const int32_t b = slot / kKvBlockSlots;
    const int32_t after = (b + 1) * kKvBlockSlots;
    const int32_t stop = after < tile.end ? after : tile.end;
    const uint8_t* values = tile.blocks[b] + tile.block.values_at();
    const Value* v =
        reinterpret_cast<const Value*>(values) + int64_t{slot % kKvBlockSlots} * stride + column;
    const uintptr_t* ahead = parts.Ahead(blocks + b - first);
    for (; slot < stop; ++slot, v += stride) {
      if constexpr (Parts<kRows>::kFetched) {
        const uintptr_t at = *ahead + (reinterpret_cast<const uint8_t*>(v) - values);
        for (int64_t byte = 0; byte < kBytes; byte += kLineBytes) Fetch(at + byte);
      }
      AddProducts<kRows, kVectors>(
          [&](int r) { return Broadcast(tile.scores[r * kAttentionTileSlots + slot]); },
          [&](int i) { return Stored::Load(v + i * kFloatLanes); }, sum);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 32
    for (int i = 0; i < kVectors; ++i) {
      StoreVector(tile.part + r * tile.part_stride + column + i * kFloatLanes, sum[r][i]);
    }
  }
}

template <typename Stored, int kRows, int kVectors>
inline void SumFrom(const AttentionTile& tile, const Parts<kRows>& parts, int32_t column) {
  const int32_t columns = tile.block.value_stride();
  for (; column + kVectors * kFloatLanes <= columns; column += kVectors * kFloatLanes) {
    SumValues<Stored, kRows, kVectors>(tile, parts, column);
  }
  if constexpr (kVectors > 1) SumFrom<Stored, kRows, kVectors / 2>(tile, parts, column);
}

// A row's scores in [first, last), which begin and end with a block.
struct ScoreRange {
  float* scores;
  int32_t first, last;
};

void Cap(const ScoreRange& row, float soft_cap) {
  for (int32_t j = row.first; j < row.last; j += kFloatLanes) {
    const FloatVector s = LoadVector(row.scores + j);
    StoreVector(row.scores + j, Math::Tanh(s / soft_cap) * soft_cap);
  }
}

void Hide(const ScoreRange& row, const RowView& view) {
  for (int32_t j = row.first; j < row.last && j < view.begin; ++j) row.scores[j] = kMinusInfinity;
  for (int32_t j = view.end > row.first ? view.end : row.first; j < row.last; ++j) {
    row.scores[j] = kMinusInfinity;
  }
  for (uint64_t hidden = view.hidden; hidden != 0; hidden &= hidden - 1) {
    const int32_t j = view.hidden_first + __builtin_ctzll(hidden);
    if (j >= row.first && j < row.last) row.scores[j] = kMinusInfinity;
  }
}

// Turns the scores of all rows in slots [first, last), which begin and end with a block, into
// exp(score - max). Rows take turns, since one row's few vectors do not fill the time that a result
// takes.
template <int kRows>
[[gnu::noinline]] void Exponentiate(const AttentionTile& tile, int32_t first, int32_t last) {
  FloatVector highest[kRows], subtracted[kRows], sum[kRows] = {};
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) highest[r] = Broadcast(kMinusInfinity);
  for (int32_t j = first; j < last; j += kFloatLanes) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      highest[r] = Most(LoadVector(tile.scores + r * kAttentionTileSlots + j), highest[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const float max = MaxLanes(highest[r]);
    tile.max[r] = max;
    // A row that sees nothing: -infinity minus any finite number gives exp 0 throughout.
    subtracted[r] = Broadcast(max == kMinusInfinity ? 0.0f : max);
  }
  for (int32_t j = first; j < last; j += kFloatLanes) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* scores = tile.scores + r * kAttentionTileSlots + j;
      const FloatVector p = Math::Exp(LoadVector(scores) - subtracted[r]);
      StoreVector(scores, p);
      sum[r] += p;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) tile.sum[r] = SumLanes(sum[r]);
}

// The scales of values join their factors, so that what is summed are codes.
inline void WeighByScales(const AttentionTile& tile, const ScoreRange& row) {
  for (int32_t j = row.first; j < row.last; j += kFloatLanes) {
    const int at = kBlockVectors + j % kKvBlockSlots / kFloatLanes;
    const FloatVector p = LoadVector(row.scores + j);
    StoreVector(row.scores + j, p * ScalesOf(tile.block, tile.blocks[j / kKvBlockSlots], at));
  }
}

constexpr int PowerOfTwoUpTo(int most) {
  int power = 1;
  while (power * 2 <= most) power *= 2;
  return power;
}
constexpr int AtMost(int value, int most) { return value < most ? value : most; }

template <typename Stored, int kRows>
void Attend(const AttentionTile& tile) {
  constexpr int kVectors = PowerOfTwoUpTo(AtMost(kAccumulators / kRows, 8));
  constexpr int kBlocks = PowerOfTwoUpTo(AtMost(kVectors / kBlockVectors, 4));
  const int32_t first = tile.begin / kKvBlockSlots;
  const int32_t last = (tile.end + kKvBlockSlots - 1) / kKvBlockSlots;
  const Parts<kRows> parts(tile, first, last);
  if (!Stored::kScaled && tile.block.latent) {
    ScoreLatent<Stored, kRows, kVectors>(tile, first, last);
  } else {
    ScoreFrom<Stored, kRows, kBlocks>(tile, parts, first, first, last);
  }
  for (int32_t r = 0; r < kRows; ++r) {
    const ScoreRange row = {tile.scores + r * kAttentionTileSlots, first * kKvBlockSlots,
                            last * kKvBlockSlots};
    if (tile.soft_cap > 0) Cap(row, tile.soft_cap);
    Hide(row, tile.views[r]);
  }
  Exponentiate<kRows>(tile, first * kKvBlockSlots, last * kKvBlockSlots);
  if constexpr (Stored::kScaled) {
    for (int32_t r = 0; r < kRows; ++r) {
      WeighByScales(tile, {tile.scores + r * kAttentionTileSlots, first * kKvBlockSlots,
                           last * kKvBlockSlots});
    }
  }
  SumFrom<Stored, kRows, kVectors>(tile, parts, 0);
}

template <typename Stored>
void AttendRows(const AttentionTile& tile) {
  switch (tile.rows) {
    case 1:
      return Attend<Stored, 1>(tile);
    case 2:
      return Attend<Stored, 2>(tile);
    case 3:
      return Attend<Stored, 3>(tile);
    case 4:
      return Attend<Stored, 4>(tile);
    case 5:
      return Attend<Stored, 5>(tile);
    default:
      return Attend<Stored, kAttentionRows>(tile);
  }
}

void AttendAny(const AttentionTile& tile) {
  if (tile.block.dtype == DType::kF16) return AttendRows<StoredF16>(tile);
  if (tile.block.dtype == DType::kBF16) return AttendRows<StoredBf16>(tile);
  if (tile.block.dtype == DType::kI8) return AttendRows<StoredI8>(tile);
  AttendRows<StoredF32>(tile);
}

float Exp(float x) { return Math4::Exp(F32x4{} + x)[0]; }

void Merge(float part_max, float part_sum, const float* part, int32_t value_stride,
           AttentionRow* row) {
  if (part_max == kMinusInfinity) return;
  const float max = row->max > part_max ? row->max : part_max;
  const F32x4 factors = Math4::Exp(F32x4{row->max - max, part_max - max});
  const float old_factor = row->max == kMinusInfinity ? 0.0f : factors[0];
  const float new_factor = factors[1];
  const FloatVector old_factors = Broadcast(old_factor), new_factors = Broadcast(new_factor);
  for (int32_t d = 0; d < value_stride; d += kFloatLanes) {
    const FloatVector added = LoadVector(part + d) * new_factors;
    StoreVector(row->values + d, MultiplyAdd(LoadVector(row->values + d), old_factors, added));
  }
  const float added = part_sum * new_factor;
  row->sum = __builtin_fmaf(row->sum, old_factor, added);
  row->max = max;
}

void Finish(const AttentionRow& row, const float* sink, int32_t value_dim, float* out) {
  float factor = 0;
  if (row.max > kMinusInfinity) {
    const float max = sink != nullptr && *sink > row.max ? *sink : row.max;
    const float shrink = Exp(row.max - max);
    const float sum = row.sum * shrink;
    factor = shrink / (sink == nullptr ? sum : sum + Exp(*sink - max));
  }
  for (int32_t d = 0; d < value_dim; ++d) out[d] = row.values[d] * factor;
}

constexpr AttentionKernels kAttentionKernels = {AppendAny, Pack, AttendAny, Merge, Finish};

}  // namespace
}  // namespace tenon::cpu
