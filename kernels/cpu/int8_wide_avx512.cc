// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/cpu/int8_gemm_avx512.h"

// Many tokens: two panels at a time, unpacked once into scratch that stays in L1, by tiles of up to
// 6 tokens. A broadcast activation serves two vpdpbusd, so that loads are no limit: what a token
// and block need of the multipliers is, 8 vpdpbusd and 2 (3 with a minimum) float operations.
//
// Tokens go in runs whose activations stay in L2 for all panels. k goes in chunks that fit the
// scratch; a run's sums are kept in memory between chunks, so that the order of additions is that
// of the other shape.
namespace tenon::cpu {
namespace {

constexpr int64_t kRunTokens = 128;
constexpr int64_t kChunkBlocks = 24;
constexpr int64_t kTileTokens = 6;
constexpr int kPair = 2;  // panels at a time
constexpr int R = kInt8PanelRows;

struct Scratch {
  alignas(64) uint8_t u[kPair][kChunkBlocks][8][4 * R];  // [panel, block, group]
  alignas(64) float d[kChunkBlocks][2][kPair][R];        // [block, half; d[1] may be m, panel]
  alignas(64) float sums[kRunTokens][kPair * R];
};

// Of k: blocks [first, first + count).
struct Chunk {
  int64_t first;
  int64_t count;
};

// A tile's tokens, and what it fetches meanwhile.
struct WideTile {
  const Int8Block* x[kTileTokens];  // the chunk's first block of each
  int64_t blocks;
  const uint8_t* u[kPair];   // unpacked codes: [block, group]
  int64_t next;              // blocks from x to the next tile's
  const uint8_t* ahead;      // weights to be fetched
  int64_t ahead_step;        // bytes of it a block
  bool first, last;          // chunk
  float (*sums)[kPair * R];  // of the tile's tokens, but for the last chunk
  int64_t token, row, rows;  // of the product: where the tile goes
};

// Lines of the next pair's weights that a tile fetches in a block: all of them in four or five.
constexpr int TileLines(Int8Kind kind) { return kind.bits == 8 ? 4 : 2; }

template <typename Source>
void Expand(const Source& source, const Chunk& chunk, int panel, Scratch* to) {
  for (int64_t b = 0; b < chunk.count; ++b) {
    Weights w;
    source.Load(chunk.first + b, &w);
    for (int g = 0; g < 8 && Source::kKind.bits < 8; ++g)
      _mm512_store_si512(to->u[panel][b][g], w.u[g]);
    _mm512_store_ps(to->d[b][0][panel], w.d[0]);
    if constexpr (Source::kKind.halves) _mm512_store_ps(to->d[b][1][panel], w.d[1]);
    if constexpr (Source::kKind.minimum) _mm512_store_ps(to->d[b][1][panel], w.m);
  }
}

// acc[t][p] += the products of a block's groups [first, end), times d[half].
template <Int8Kind kKind, int T>
[[gnu::always_inline]] inline void AddGroups(const Scratch& scratch, const WideTile& tile,
                                             int64_t b, int half, __m512 (&acc)[T][kPair]) {
  constexpr int kGroups = kKind.halves ? 4 : 8;
  __m512i sum[T][kPair];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    const Int8Block& a = tile.x[t][b];
    if constexpr (kKind.halves) {
      sum[t][0] = sum[t][1] = _mm512_set1_epi32(a.offset6[half]);
    } else {
      sum[t][0] = sum[t][1] = _mm512_set1_epi32(StartOf<kKind>(a));
    }
  }
#pragma GCC unroll 8
  for (int g = half * kGroups; g < (half + 1) * kGroups; ++g) {
    const __m512i u0 = _mm512_load_si512(tile.u[0] + (b * 8 + g) * 64);
    const __m512i u1 = _mm512_load_si512(tile.u[1] + (b * 8 + g) * 64);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const __m512i q = _mm512_set1_epi32(LoadInt32(tile.x[t][b].q + 4 * g));
      sum[t][0] = _mm512_dpbusd_epi32(sum[t][0], u0, q);
      sum[t][1] = _mm512_dpbusd_epi32(sum[t][1], u1, q);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < kPair; ++p) {
    const __m512 d = _mm512_load_ps(scratch.d[b][half][p]);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const __m512 scaled = _mm512_mul_ps(d, _mm512_set1_ps(tile.x[t][b].scale));
      acc[t][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t][p]), scaled, acc[t][p]);
    }
  }
}

template <int T>
[[gnu::always_inline]] inline void AddMinimum(const Scratch& scratch, const WideTile& tile,
                                              int64_t b, __m512 (&acc)[T][kPair]) {
#pragma GCC unroll 2
  for (int p = 0; p < kPair; ++p) {
    const __m512 m = _mm512_load_ps(scratch.d[b][1][p]);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      acc[t][p] = _mm512_fmadd_ps(m, _mm512_set1_ps(tile.x[t][b].scaled_sum), acc[t][p]);
    }
  }
}

template <int T>
[[gnu::always_inline]] inline void StoreTile(const Epilogue& epilogue, const WideTile& tile,
                                             const __m512 (&acc)[T][kPair]) {
#pragma GCC unroll 2
  for (int p = 0; p < kPair; ++p) {
    const int64_t rows = std::clamp<int64_t>(tile.rows - p * R, 0, R);
    const __mmask16 valid = static_cast<__mmask16>((1u << rows) - 1);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      Store(epilogue, tile.token + t, tile.row + p * R, valid, acc[t][p]);
    }
  }
}

template <Int8Kind kKind, int T>
void RunTile(const Scratch& scratch, const WideTile& tile, const Epilogue& epilogue) {
  __m512 acc[T][kPair];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    for (int p = 0; p < kPair; ++p) {
      acc[t][p] = tile.first ? _mm512_setzero_ps() : _mm512_load_ps(tile.sums[t] + p * R);
    }
  }
  for (int64_t b = 0; b < tile.blocks; ++b) {
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      Prefetch<1>(reinterpret_cast<const uint8_t*>(tile.x[t] + b + tile.next));
    }
    Prefetch<TileLines(kKind)>(tile.ahead + b * tile.ahead_step);
    AddGroups<kKind, T>(scratch, tile, b, 0, acc);
    if constexpr (kKind.halves) AddGroups<kKind, T>(scratch, tile, b, 1, acc);
    if constexpr (kKind.minimum) AddMinimum<T>(scratch, tile, b, acc);
  }
  if (tile.last) return StoreTile<T>(epilogue, tile, acc);
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    for (int p = 0; p < kPair; ++p) _mm512_store_ps(tile.sums[t] + p * R, acc[t][p]);
  }
}

template <Int8Kind kKind>
void RunTileOf(int64_t tokens, const Scratch& scratch, const WideTile& tile,
               const Epilogue& epilogue) {
  switch (tokens) {
    case 1:
      return RunTile<kKind, 1>(scratch, tile, epilogue);
    case 2:
      return RunTile<kKind, 2>(scratch, tile, epilogue);
    case 3:
      return RunTile<kKind, 3>(scratch, tile, epilogue);
    case 4:
      return RunTile<kKind, 4>(scratch, tile, epilogue);
    case 5:
      return RunTile<kKind, 5>(scratch, tile, epilogue);
    default:
      return RunTile<kKind, kTileTokens>(scratch, tile, epilogue);
  }
}

template <DType kType>
class Wide {
 public:
  explicit Wide(const Int8Gemm& gemm) : gemm_(gemm) {}

  void Run() {
    for (int64_t token = 0; token < gemm_.tokens; token += kRunTokens) {
      const int64_t tokens = std::min(kRunTokens, gemm_.tokens - token);
      for (int64_t row = 0; row < gemm_.rows; row += kPair * R) RunPair(token, tokens, row);
    }
  }

 private:
  void RunPair(int64_t token, int64_t tokens, int64_t row) {
    const uint8_t* data = static_cast<const uint8_t*>(gemm_.panels) + row / R * panel_bytes_;
    ahead_ = data + kPair * panel_bytes_;
    if (row + kPair * R >= gemm_.rows && gemm_.next != nullptr) {
      ahead_ = static_cast<const uint8_t*>(gemm_.next);
    }
    ahead_end_ = ahead_ + kPair * panel_bytes_;
    WideTile tile;
    tile.row = row;
    tile.rows = std::min<int64_t>(kPair * R, gemm_.rows - row);
    for (Chunk chunk{0, 0}; chunk.first < blocks_; chunk.first += chunk.count) {
      // Chunks of equal length.
      const int64_t left = (blocks_ - chunk.first + kChunkBlocks - 1) / kChunkBlocks;
      chunk.count = (blocks_ - chunk.first + left - 1) / left;
      for (int p = 0; p < kPair; ++p) {
        // Without a second panel the first one's products are formed twice.
        const uint8_t* panel = data + (p * R < tile.rows ? p * panel_bytes_ : 0);
        Expand(PackedSource<kType>{{panel, panel + codes_}}, chunk, p, &scratch_);
        // Codes of 8 bits are used where they lie.
        tile.u[p] = kKind.bits == 8 ? panel + codes_ + chunk.first * 8 * 64 : scratch_.u[p][0][0];
      }
      tile.blocks = chunk.count;
      tile.first = chunk.first == 0;
      tile.last = left == 1;
      RunChunk(token, tokens, chunk, tile);
    }
  }

  // Tiles of nearly equal size: 32 tokens are 6 + 6 + 5 + 5 + 5 + 5.
  void RunChunk(int64_t token, int64_t tokens, const Chunk& chunk, WideTile& tile) {
    for (int64_t t = 0, size = 0; t < tokens; t += size) {
      const int64_t tiles = (tokens - t + kTileTokens - 1) / kTileTokens;
      size = (tokens - t + tiles - 1) / tiles;
      for (int64_t i = 0; i < size; ++i) tile.x[i] = TokenRow(token + t + i) + chunk.first;
      tile.next = size * blocks_;
      tile.ahead_step = ahead_ < ahead_end_ ? TileLines(kKind) * 64 : 0;
      tile.ahead = ahead_;
      ahead_ += chunk.count * tile.ahead_step;
      tile.sums = scratch_.sums + t;
      tile.token = token + t;
      RunTileOf<kKind>(size, scratch_, tile, gemm_.epilogue);
    }
  }

  const Int8Block* TokenRow(int64_t token) const {
    return gemm_.x + (gemm_.x_offsets == nullptr ? token * blocks_ : gemm_.x_offsets[token]);
  }

  static constexpr Int8Kind kKind = KindOf(kType);
  const Int8Gemm& gemm_;
  const int64_t codes_ = Int8CodesOffset(kType, gemm_.k);
  const int64_t panel_bytes_ = Int8PanelBytes(kType, gemm_.k);
  const int64_t blocks_ = Int8Blocks(gemm_.k);
  const uint8_t* ahead_ = nullptr;  // the next pair, as far as it is not fetched
  const uint8_t* ahead_end_ = nullptr;
  Scratch scratch_;
};

}  // namespace

void Int8GemmWideAvx512(const Int8Gemm& gemm) {
  ForPackedType(gemm.type, [&]<DType kType> { Wide<kType>(gemm).Run(); });
}

}  // namespace tenon::cpu
