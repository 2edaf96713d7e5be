// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/half.h"
#include "kernels/cpu/int8_activations.h"

// For one block with the largest magnitude a: scale = a / 127, q = round(x * (127 / a)). Every
// level uses these two f32 divisions and one f32 multiplication a value, so that all give the same
// bits.
namespace tenon::cpu {

void QuantizeInt8Generic(const float* x, int64_t k, Int8Block* out);
void QuantizeInt8Avx2(const float* x, int64_t k, Int8Block* out);
void QuantizeInt8Avx512(const float* x, int64_t k, Int8Block* out);
void QuantizeInt8ColumnAvx512(const Int8Column& column);

// Below it 127 / a could overflow; such a block counts as zeros.
static constexpr float kTiny = 1e-30f;

// Sets scale and returns what to multiply x with; 0 means that q is to be all zeros.
// `magnitude` holds the bits of max |x|: as integers they order finite < infinity < NaN.
static inline float BlockScale(uint32_t magnitude, Int8Block* out) {
  if (magnitude >= 0x7f800000u) {
    out->scale = FloatFromBits(0x7fc00000u);
    return 0.0f;
  }
  const float a = FloatFromBits(magnitude);
  if (a < kTiny) {
    out->scale = 0.0f;
    return 0.0f;
  }
  out->scale = a / 127.0f;
  return 127.0f / a;
}

static inline void SetSums(int32_t first, int32_t last, Int8Block* out) {
  const int32_t sum = first + last;
  out->offset4 = -8 * sum;
  out->offset5 = -16 * sum;
  out->offset8 = -128 * sum;
  out->offset6[0] = -32 * first;
  out->offset6[1] = -32 * last;
  out->scaled_sum = out->scale * static_cast<float>(sum);
}

}  // namespace tenon::cpu
