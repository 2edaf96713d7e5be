// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/dtype.h"

// Block-quantised weights interleaved for products with int8 activations: the same codes and
// scales, in the same number of bytes (K-quants spend 4 more a row and 256 values), ordered for
// vpdpbusd and vpmaddubsw. Codes stay unsigned: y = d u + m, as kernels/cpu/blocks.h reads them.
//
// A panel holds R = 16 consecutive rows over all k, at every level, aligned to 64 bytes:
//   scales, a run for every 32 k (every 256 k for K-quants), each item for all R rows:
//     Q4_0 Q5_0 Q8_0   f16 d                      (m is -8 d, -16 d, -128 d)
//     Q4_1 Q5_1        f16 d, f16 m
//     Q4_K Q5_K        f16 d, f16 dmin, then 8 times {u8 scale, u8 minimum}
//     Q6_K             f16 d, then 8 times {i8 scale, i8 scale}, 16 k each  (m is -32 d)
//   padding to 64 bytes, then codes, a run for every 32 k. A vector is 4 R bytes: 4 consecutive k
//   of row 0, of row 1, … Group g is k 4g … 4g+3 of the 32:
//     4 bits   4 vectors: group v in the low nibbles, group v + 4 in the high ones
//     5 bits   those, and a vector whose bit g is the fifth bit of group g
//     6 bits   those of 4 bits, and two vectors whose bits 2f, 2f+1 are the high bits of groups f,
//     f + 4 8 bits   8 vectors
namespace tenon::cpu {

// True for Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K.
bool CanPackInt8(DType type);

constexpr int64_t kInt8PanelRows = 16;

// Bytes of one panel, a multiple of 64. REQUIRES: CanPackInt8(type); k a multiple of its
// block_values.
int64_t Int8PanelBytes(DType type, int64_t k);

// Where the codes begin in a panel, in bytes.
int64_t Int8CodesOffset(DType type, int64_t k);

// Bytes of codes for one row and 32 values: 16, 20, 24 or 32.
int64_t Int8CodeBytes(DType type);

// Packs the stored rows [0, rows) at `w`, row_bytes apart, into one panel; the rest of
// it becomes zeros. REQUIRES: 0 < rows <= kInt8PanelRows. Any thread; two panels at once do no
// harm.
void PackInt8Panel(DType type, const void* w, int64_t row_bytes, int64_t rows, int64_t k,
                   void* panel);

}  // namespace tenon::cpu
