// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "tenon/dtype.h"

// Attention of a few query rows to K and V that lie in blocks of 16 slots.
//
//   s[j] = scale * q·k[j], capped;  p[j] = exp(s[j] - max s);  part = Σ p[j] v[j];  sum = Σ p[j]
//
// Slots are taken in tiles of 128 that begin at multiples of 128, each on its own; the parts of a
// row's tiles are then merged in ascending order (online softmax: Milakov & Gimelshein 2018; tiles:
// Dao et al. 2022, "FlashAttention"; parts of a long context done by several threads: "Flash-
// Decoding", 2023). What is computed for a row, and in which order, depends on the row's slots
// alone: not on the rows beside it, on where the pages lie, or on who does which tile. So a row's
// bits are the same in prefill and decode, however the prompt is cut, and on any number of threads.
namespace tenon::cpu {

inline constexpr int32_t kKvBlockSlots = 16;
inline constexpr int32_t kAttentionTileSlots = 128;
inline constexpr int32_t kAttentionTileBlocks = kAttentionTileSlots / kKvBlockSlots;
inline constexpr int32_t kAttentionRows = 6;  // most query rows of one AttendTile

// One KV head's 16 slots: K as [head_dim][16 slots], so that a vector of scores needs no sum across
// its lanes, then V as [16 slots][value_stride]; f32, f16 or bf16, or int8 with the slots' f32
// scales behind: K's [16], then V's [16]. Columns of V past value_dim are 0. A latent block, never
// of int8, is [16 slots][key_stride]: K is the row, V its first value_dim columns, at most
// head_dim, and columns past head_dim are 0. So both products read whole vectors of what is stored
// once; a score's sum across lanes comes after hundreds of columns.
struct KvBlock {
  DType dtype;
  int32_t head_dim;
  int32_t value_dim;
  bool latent = false;

  [[gnu::always_inline]] constexpr int32_t value_stride() const {
    return (value_dim + 15) / 16 * 16;
  }
  [[gnu::always_inline]] constexpr int32_t key_stride() const { return (head_dim + 15) / 16 * 16; }
  // Values from a slot's V to the next one's.
  [[gnu::always_inline]] constexpr int32_t slot_stride() const {
    return latent ? key_stride() : value_stride();
  }
  [[gnu::always_inline]] constexpr int64_t value_bytes() const {
    return dtype == DType::kF32 ? 4 : dtype == DType::kI8 ? 1 : 2;
  }
  [[gnu::always_inline]] constexpr int64_t values_at() const {
    return latent ? 0 : value_bytes() * kKvBlockSlots * head_dim;
  }
  [[gnu::always_inline]] constexpr int64_t scales_at() const {
    return values_at() + value_bytes() * kKvBlockSlots * slot_stride();
  }
  [[gnu::always_inline]] constexpr int64_t bytes() const {
    return scales_at() + (dtype == DType::kI8 ? 2 * int64_t{sizeof(float)} * kKvBlockSlots : 0);
  }
};

// Which slots a row may see: those in [begin, end), but for slot hidden_first + i where bit i of
// `hidden` is set (a tree's tokens). Counted from the tile's first slot; any of them may lie
// outside the tile.
struct RowView {
  int32_t begin;
  int32_t end;
  int32_t hidden_first;
  uint64_t hidden;
};

// Query rows against one tile.
struct AttentionTile {
  KvBlock block;
  float scale;
  float soft_cap;                // 0: none
  int32_t rows;                  // 1 to kAttentionRows
  int32_t begin, end;            // slots that some row may see lie in here; 0 <= begin < end <= 128
  const float* const* q;         // [rows], each [head_dim]; latent: [key_stride], padded with 0
  const RowView* views;          // [rows]
  const uint8_t* const* blocks;  // [8]; only those that [begin, end) touches are read
  const uint8_t* const* next;    // [8], which are fetched meanwhile: the tile after this; or null
  float* scores;                 // [rows, 128], overwritten
  float* part;                   // out: [rows, value_stride], unnormalised
  int64_t part_stride;           // floats from one row of `part` to the next
  float* max;  // out: [rows], -infinity where the row sees no slot; part is then 0
  float* sum;  // out: [rows]
};

// Rows of K [head_dim] and V [value_dim] as an op's inputs hold them.
struct KvRows {
  const float* k;
  int64_t k_stride;  // floats from one row to the next
  const float* v;
  int64_t v_stride;
};

// A row's running result over the tiles before: starts as max = -infinity, sum = 0, values = 0.
struct AttentionRow {
  float max;
  float sum;
  float* values;  // [value_stride]
};

// The kernels of one level. Pointers need no alignment. No kernel allocates; any thread.
struct AttentionKernels {
  // Stores one token's K [head_dim] and V [value_dim] at slot 0..15 of a block, rounded to nearest
  // (int8: kv_int8.h); latent: the row [k | v], k [value_dim] and v [head_dim - value_dim].
  void (*append)(const KvBlock& block, const float* k, const float* v, int32_t slot, uint8_t* to);
  // Lays `slots` rows of K and V, 1 to 16, into an f32 block that is not latent, from slot 0 on.
  void (*pack)(const KvBlock& block, const KvRows& rows, int32_t slots, float* to);
  void (*attend)(const AttentionTile& tile);
  // Joins a tile's result to the running one; leaves it as it is where part_max is -infinity.
  void (*merge)(float part_max, float part_sum, const float* part, int32_t value_stride,
                AttentionRow* row);
  // out[value_dim] = values / (sum + exp(sink - max)); without a sink (null) the sum alone. Zeros
  // for a row that saw nothing.
  void (*finish)(const AttentionRow& row, const float* sink, int32_t value_dim, float* out);
};

// REQUIRES: the machine has the level; block dtypes are kF32, kF16, kBF16 or kI8.
const AttentionKernels& AttentionKernelsFor(Isa isa);

}  // namespace tenon::cpu
