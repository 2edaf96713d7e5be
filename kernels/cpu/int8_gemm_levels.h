// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/int8_gemm.h"

// What the levels of the int8 product share: what a type's codes need, and the walk over panels and
// tokens.
//
// For every block of 32 k and every (t, n), in this order at every level:
//   with a minimum      acc = fma(Σ u q, d scale, acc);  acc = fma(m, scaled_sum, acc)
//   symmetric           acc = fma(Σ (u - zero) q, d scale, acc)
//   Q6_K                the symmetric step for the first 16 k with d0, then for the last 16 with d1
// Panels go through in groups that stay in L2: a group comes from memory once a batch, and a tile
// of up to L::kTile tokens stays in L1 for all panels of the group, which are unpacked in
// registers. (With many tokens another shape is quicker: int8_wide_avx512.cc, int8_wide_avx2.h.)
//
// Static, so that every level compiles its own copy (see half.h).
namespace tenon::cpu {

void Int8GemmGeneric(const Int8Gemm& gemm);
void Int8GemmAvx2(const Int8Gemm& gemm);
void Int8GemmAvx2Vnni(const Int8Gemm& gemm);
void Int8GemmAvx512(const Int8Gemm& gemm);

struct Int8Kind {
  int bits;      // of a code
  bool minimum;  // a stored m
  bool halves;   // a scale for every 16 k
};

static constexpr Int8Kind KindOf(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return {4, false, false};
    case DType::kQ4_1:
    case DType::kQ4_K:
      return {4, true, false};
    case DType::kQ5_0:
      return {5, false, false};
    case DType::kQ5_1:
    case DType::kQ5_K:
      return {5, true, false};
    case DType::kQ6_K:
      return {6, false, true};
    default:
      return {8, false, false};
  }
}

// Code vectors of 32 k in a panel.
static constexpr int CodeVectors(int bits) { return bits == 8 ? 8 : bits; }

// What the integer sum of a block starts at. REQUIRES: no halves.
template <Int8Kind kKind>
static inline int32_t StartOf(const Int8Block& a) {
  if constexpr (kKind.minimum) {
    return 0;
  } else {
    return kKind.bits == 4 ? a.offset4 : kKind.bits == 5 ? a.offset5 : a.offset8;
  }
}

// Cache lines of a panel's 32 k, scales included.
static constexpr int AheadLines(int bits) { return CodeVectors(bits) + 1; }

struct Int8Panel {
  const uint8_t* scales;
  const uint8_t* codes;
};

// How far before their use weights are fetched: at 25 GB/s a core about 300 ns, past a memory's
// latency.
static constexpr int64_t kAheadBytes = 8192;

// Packed bytes that stay in L2 beside the activations.
static constexpr int64_t kGroupBytes = 65536;

// The tokens of one tile.
struct Int8Tile {
  const Int8Block* const* x;  // the row of each
  int64_t blocks;             // in a row
  const uint8_t* ahead;       // kAheadBytes after the panel's begin, to be fetched meanwhile
  int64_t ahead_step;         // bytes of it a block
};

static inline int32_t LoadInt32(const int8_t* p) {
  int32_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// What is fetched while the panel at `data` is multiplied: what lies kAheadBytes behind it, in
// these panels or, past their end, in the next ones.
static inline const uint8_t* AheadOf(const Int8Gemm& gemm, const uint8_t* data,
                                     int64_t panel_bytes) {
  const int64_t panels = (gemm.rows + kInt8PanelRows - 1) / kInt8PanelRows;
  const uint8_t* end = static_cast<const uint8_t*>(gemm.panels) + panels * panel_bytes;
  const uint8_t* ahead = data + kAheadBytes;
  if (gemm.next == nullptr || ahead < end) return ahead;
  return static_cast<const uint8_t*>(gemm.next) + (ahead - end);
}

// Some consecutive panels.
struct Int8Group {
  const uint8_t* data;
  int64_t row;  // of the product
  int64_t rows;
};

template <typename L, DType kType, int kTokens>
static inline int64_t RunTiles(const Int8Gemm& gemm, const Int8Group& group, int64_t token) {
  const int64_t codes = Int8CodesOffset(kType, gemm.k);
  const int64_t panel_bytes = Int8PanelBytes(kType, gemm.k);
  const int64_t blocks = Int8Blocks(gemm.k);
  for (; gemm.tokens - token >= kTokens; token += kTokens) {
    const Int8Block* x[kTokens];
    for (int t = 0; t < kTokens; ++t) {
      const int64_t at = token + t;
      x[t] = gemm.x + (gemm.x_offsets == nullptr ? at * blocks : gemm.x_offsets[at]);
    }
    const uint8_t* data = group.data;
    for (int64_t row = 0; row < group.rows; row += kInt8PanelRows, data += panel_bytes) {
      const typename L::template Packed<kType> source{{data, data + codes}};
      const Int8Tile tile{x, blocks, AheadOf(gemm, data, panel_bytes), panel_bytes / blocks};
      const int64_t rows = group.rows - row < kInt8PanelRows ? group.rows - row : kInt8PanelRows;
      L::template Tile<decltype(source), kTokens>(source, tile, gemm.epilogue, token,
                                                  group.row + row, rows);
    }
  }
  return token;
}

template <typename L, DType kType>
static void Int8GemmOfType(const Int8Gemm& gemm) {
  const int64_t panel_bytes = Int8PanelBytes(kType, gemm.k);
  const int64_t fit = kGroupBytes / panel_bytes > 1 ? kGroupBytes / panel_bytes : 1;
  const int64_t step = fit * kInt8PanelRows;
  const uint8_t* data = static_cast<const uint8_t*>(gemm.panels);
  for (int64_t row = 0; row < gemm.rows; row += step, data += fit * panel_bytes) {
    const Int8Group group{data, row, gemm.rows - row < step ? gemm.rows - row : step};
    int64_t token = 0;
    if constexpr (L::kTile >= 16) token = RunTiles<L, kType, 16>(gemm, group, token);
    if constexpr (L::kTile >= 8) token = RunTiles<L, kType, 8>(gemm, group, token);
    token = RunTiles<L, kType, 4>(gemm, group, token);
    token = RunTiles<L, kType, 2>(gemm, group, token);
    RunTiles<L, kType, 1>(gemm, group, token);
  }
}

// Calls run.operator()<type>() for a type that panels are packed of; nothing for others.
template <typename Run>
static inline void ForPackedType(DType type, Run run) {
  switch (type) {
    case DType::kQ4_0:
      return run.template operator()<DType::kQ4_0>();
    case DType::kQ4_1:
      return run.template operator()<DType::kQ4_1>();
    case DType::kQ5_0:
      return run.template operator()<DType::kQ5_0>();
    case DType::kQ5_1:
      return run.template operator()<DType::kQ5_1>();
    case DType::kQ8_0:
      return run.template operator()<DType::kQ8_0>();
    case DType::kQ4_K:
      return run.template operator()<DType::kQ4_K>();
    case DType::kQ5_K:
      return run.template operator()<DType::kQ5_K>();
    case DType::kQ6_K:
      return run.template operator()<DType::kQ6_K>();
    default:
      return;
  }
}

template <typename L>
static void Int8GemmLevel(const Int8Gemm& gemm) {
  ForPackedType(gemm.type, [&]<DType kType> { Int8GemmOfType<L, kType>(gemm); });
}

}  // namespace tenon::cpu
