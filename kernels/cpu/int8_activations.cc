// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/int8_activations.h"

#include "kernels/cpu/int8_activations_levels.h"

namespace tenon::cpu {
namespace {

// Nearest integer, ties to even, for |v| <= 2^22: the FPU rounds when 1.5 * 2^23 is added.
int32_t RoundToInt(float v) {
  return static_cast<int32_t>(BitsFromFloat(v + 12582912.0f) - 0x4b400000u);
}

void QuantizeBlock(const float* x, Int8Block* out) {
  uint32_t magnitude = 0;
  for (int i = 0; i < 32; ++i) {
    const uint32_t bits = BitsFromFloat(x[i]) & 0x7fffffffu;
    magnitude = bits > magnitude ? bits : magnitude;
  }
  const float inverse = BlockScale(magnitude, out);
  int32_t sums[2] = {0, 0};
  for (int i = 0; i < 32; ++i) {
    const int32_t q = inverse == 0.0f ? 0 : RoundToInt(x[i] * inverse);
    out->q[i] = static_cast<int8_t>(q);
    sums[i / 16] += q;
  }
  SetSums(sums[0], sums[1], out);
}

}  // namespace

void QuantizeInt8Generic(const float* x, int64_t k, Int8Block* out) {
  for (int64_t i = 0; i < k; i += 32) QuantizeBlock(x + i, out++);
}

void QuantizeInt8(Isa isa, const float* x, int64_t k, Int8Block* out) {
  switch (isa) {
    case Isa::kAvx512:
      return QuantizeInt8Avx512(x, k, out);
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return QuantizeInt8Avx2(x, k, out);
    case Isa::kGeneric:
      return QuantizeInt8Generic(x, k, out);
  }
}

void QuantizeInt8Column(Isa isa, const Int8Column& column) {
  if (isa == Isa::kAvx512) return QuantizeInt8ColumnAvx512(column);
  for (int64_t row = 0; row < column.rows; ++row) {
    QuantizeInt8(isa, column.x + row * column.x_stride, kInt8BlockValues,
                 column.out + row * column.out_stride);
  }
}

}  // namespace tenon::cpu
