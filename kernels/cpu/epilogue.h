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
};

}  // namespace tenon::cpu
