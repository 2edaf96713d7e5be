// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::cpu {

// Where the rows of a product go: out[t, n] = product[t, n] (+ bias[n]) (+ residual[t, n]), added
// in that order. Column 0 is the product's first weight row.
struct Epilogue {
  float* out;               // [tokens, columns]
  int64_t out_stride;       // floats from one token to the next
  const float* bias;        // [columns], or null
  const float* residual;    // [tokens, columns], or null; may be `out` itself
  int64_t residual_stride;  // floats
  // Null, or [tokens]: floats from `out` to a token's row, wherever that is, instead of out_stride.
  const int64_t* out_offsets = nullptr;
};

static inline float* OutRow(const Epilogue& e, int64_t token) {
  return e.out + (e.out_offsets == nullptr ? token * e.out_stride : e.out_offsets[token]);
}

}  // namespace tenon::cpu
