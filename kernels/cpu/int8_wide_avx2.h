// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "kernels/cpu/int8_gemm_avx2.h"

// Many tokens at the levels of 256 bits: a panel is unpacked once into scratch that stays in L1, by
// tiles of up to 4 tokens, so that the shifts and masks of its codes are no part of a tile. Tokens
// go in runs whose activations stay in L2 for all panels. k goes in chunks that fit the scratch; a
// run's sums are kept in memory between chunks, so that the order of additions is that of the other
// shape. Everything is local to the file that includes it.
namespace tenon::cpu {
namespace {

constexpr int64_t kRunTokens = 128;
constexpr int64_t kChunkBlocks = 24;
constexpr int64_t kTileTokens = 4;
constexpr int R = kInt8PanelRows;

template <Int8Kind kKind>
struct Scratch {
  static constexpr int kCodes = kPlanes<kKind> * 8 * 4 * R;  // bytes of a block
  alignas(64) uint8_t u[kChunkBlocks][kCodes];               // [block; plane, group]
  alignas(64) float d[kChunkBlocks][2][R];                   // [block, half; d[1] may be m]
  alignas(64) float sums[kRunTokens][R];
};

// A panel's chunk, unpacked.
template <Int8Kind kOf>
struct ExpandedSource {
  static constexpr Int8Kind kKind = kOf;
  const uint8_t* u;
  const float (*d)[2][R];

  template <int kPlane>
  [[gnu::always_inline]] inline __m256i Group(int64_t b, int g, int h) const {
    return LoadVector(u + b * Scratch<kKind>::kCodes + (8 * kPlane + g) * 4 * R + 32 * h);
  }
  [[gnu::always_inline]] inline Scales ScalesOf(int64_t b, int h) const {
    Scales out{};
    out.d[0] = _mm256_load_ps(d[b][0] + 8 * h);
    if constexpr (kKind.halves) out.d[1] = _mm256_load_ps(d[b][1] + 8 * h);
    if constexpr (kKind.minimum) out.m = _mm256_load_ps(d[b][1] + 8 * h);
    return out;
  }
};

// Where a tile goes, and what it fetches meanwhile.
struct WideTile {
  const Int8Block* x[kTileTokens];  // the chunk's first block of each token
  int64_t blocks;
  int64_t next;          // blocks from x to the next tile's
  const uint8_t* ahead;  // weights to be fetched
  int64_t ahead_step;    // bytes of it a block
  bool first, last;      // chunk
  float (*sums)[R];      // of the tile's tokens, but for the last chunk
  int64_t token, row, rows;
};

template <typename Source, int T>
void RunTile(const Source& source, const WideTile& tile, const Epilogue& epilogue) {
  const Int8Block* x[T];
  __m256 acc[T][2];
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    x[t] = tile.x[t];
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      acc[t][h] = tile.first ? _mm256_setzero_ps() : _mm256_load_ps(tile.sums[t] + 8 * h);
    }
  }
  for (int64_t b = 0; b < tile.blocks; ++b) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      Prefetch<1>(reinterpret_cast<const uint8_t*>(x[t] + b + tile.next));
    }
    Prefetch<1>(tile.ahead + b * tile.ahead_step);
    AddBlock(source, b, x, acc);
  }
  if (tile.last) return StoreTile<T>(epilogue, tile.token, tile.row, tile.rows, acc);
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) _mm256_store_ps(tile.sums[t] + 8 * h, acc[t][h]);
  }
}

template <DType kType>
class Wide {
 public:
  explicit Wide(const Int8Gemm& gemm) : gemm_(gemm) {}

  void Run() {
    for (int64_t token = 0; token < gemm_.tokens; token += kRunTokens) {
      const int64_t tokens = std::min(kRunTokens, gemm_.tokens - token);
      for (int64_t row = 0; row < gemm_.rows; row += R) RunPanel(token, tokens, row);
    }
  }

 private:
  static constexpr Int8Kind kKind = KindOf(kType);
  // Codes that are used where they lie.
  static constexpr bool kInPlace = kKind.bits == 8 && kVnni;

  void RunPanel(int64_t token, int64_t tokens, int64_t row) {
    const uint8_t* data = static_cast<const uint8_t*>(gemm_.panels) + row / R * panel_bytes_;
    ahead_ = data + panel_bytes_;
    if (row + R >= gemm_.rows && gemm_.next != nullptr) {
      ahead_ = static_cast<const uint8_t*>(gemm_.next);
    }
    ahead_end_ = ahead_ + panel_bytes_;
    WideTile tile;
    tile.row = row;
    tile.rows = std::min<int64_t>(R, gemm_.rows - row);
    for (int64_t first = 0; first < blocks_; first += tile.blocks) {
      // Chunks of equal length.
      const int64_t left = (blocks_ - first + kChunkBlocks - 1) / kChunkBlocks;
      tile.blocks = (blocks_ - first + left - 1) / left;
      tile.first = first == 0;
      tile.last = left == 1;
      Expand({{data, data + codes_}}, first, tile.blocks);
      const uint8_t* in_place = data + codes_ + first * CodeVectors(kKind.bits) * 4 * R;
      RunChunk({kInPlace ? in_place : scratch_.u[0], scratch_.d}, token, tokens, first, tile);
    }
  }

  void Expand(const PackedSource<kType>& source, int64_t first, int64_t count) {
    for (int64_t b = 0; b < count; ++b) {
      for (int h = 0; h < 2; ++h) {
        if constexpr (!kInPlace) ExpandCodes<0>(source, first + b, h, scratch_.u[b]);
        if constexpr (kPlanes<kKind> == 2) {
          ExpandCodes<1>(source, first + b, h, scratch_.u[b] + 8 * 4 * R);
        }
        const Scales scales = source.ScalesOf(first + b, h);
        _mm256_store_ps(scratch_.d[b][0] + 8 * h, scales.d[0]);
        if constexpr (kKind.halves) _mm256_store_ps(scratch_.d[b][1] + 8 * h, scales.d[1]);
        if constexpr (kKind.minimum) _mm256_store_ps(scratch_.d[b][1] + 8 * h, scales.m);
      }
    }
  }

  template <int kPlane>
  [[gnu::always_inline]] static inline void ExpandCodes(const PackedSource<kType>& source,
                                                        int64_t b, int h, uint8_t* to) {
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(to + g * 4 * R + 32 * h),
                         source.template Group<kPlane>(b, g, h));
    }
  }

  // Tiles of nearly equal size: 9 tokens are 3 + 3 + 3.
  void RunChunk(const ExpandedSource<kKind>& source, int64_t token, int64_t tokens, int64_t first,
                WideTile& tile) {
    for (int64_t t = 0, size = 0; t < tokens; t += size) {
      const int64_t tiles = (tokens - t + kTileTokens - 1) / kTileTokens;
      size = (tokens - t + tiles - 1) / tiles;
      for (int64_t i = 0; i < size; ++i) tile.x[i] = TokenRow(token + t + i) + first;
      tile.next = size * blocks_;
      tile.ahead_step = ahead_ < ahead_end_ ? 64 : 0;
      tile.ahead = ahead_;
      ahead_ += tile.blocks * tile.ahead_step;
      tile.sums = scratch_.sums + t;
      tile.token = token + t;
      RunTileOf(size, source, tile);
    }
  }

  void RunTileOf(int64_t tokens, const ExpandedSource<kKind>& source, const WideTile& tile) {
    switch (tokens) {
      case 1:
        return RunTile<ExpandedSource<kKind>, 1>(source, tile, gemm_.epilogue);
      case 2:
        return RunTile<ExpandedSource<kKind>, 2>(source, tile, gemm_.epilogue);
      case 3:
        return RunTile<ExpandedSource<kKind>, 3>(source, tile, gemm_.epilogue);
      default:
        return RunTile<ExpandedSource<kKind>, kTileTokens>(source, tile, gemm_.epilogue);
    }
  }

  const Int8Block* TokenRow(int64_t token) const {
    return gemm_.x + (gemm_.x_offsets == nullptr ? token * blocks_ : gemm_.x_offsets[token]);
  }

  const Int8Gemm& gemm_;
  const int64_t codes_ = Int8CodesOffset(kType, gemm_.k);
  const int64_t panel_bytes_ = Int8PanelBytes(kType, gemm_.k);
  const int64_t blocks_ = Int8Blocks(gemm_.k);
  const uint8_t* ahead_ = nullptr;  // the next panel, as far as it is not fetched
  const uint8_t* ahead_end_ = nullptr;
  Scratch<kKind> scratch_;
};

// Either shape, whichever is the quicker one.
void Int8GemmOf256(const Int8Gemm& gemm) {
  if (gemm.tokens < kInt8WideTokensAvx2) return Int8GemmLevel<Narrow>(gemm);
  ForPackedType(gemm.type, [&]<DType kType> { Wide<kType>(gemm).Run(); });
}

}  // namespace
}  // namespace tenon::cpu
