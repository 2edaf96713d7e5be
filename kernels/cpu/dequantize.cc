// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/dequantize.h"

#include "kernels/cpu/dequantize_levels.h"

namespace tenon::cpu {
namespace {

const DequantizeLevel& DequantizeLevelOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return DequantizeAvx512();
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return DequantizeAvx2();
    case Isa::kGeneric:
      break;
  }
  return DequantizeGeneric();
}

}  // namespace

const DequantizeLevel& DequantizeGeneric() { return kDequantizeLevel; }

bool CanDequantize(DType type) { return DequantizerOf(Isa::kGeneric, type) != nullptr; }

DequantizeFunction DequantizerOf(Isa isa, DType type) {
  const uint32_t index = static_cast<uint32_t>(type);
  return index < kDTypeCount ? DequantizeLevelOf(isa).by_type[index] : nullptr;
}

void Dequantize(Isa isa, DType type, const void* data, int64_t values, float* out) {
  DequantizerOf(isa, type)(data, values, out);
}

void ScaleRow(Isa isa, const BlockScales& scales, int64_t row, int64_t first, int64_t count,
              float* values) {
  DequantizeLevelOf(isa).scale_row(scales, row, first, count, values);
}

void ConvertToF16(Isa isa, const float* in, int64_t values, uint16_t* out) {
  DequantizeLevelOf(isa).to_f16(in, values, out);
}

void ConvertToBf16(Isa isa, const float* in, int64_t values, uint16_t* out) {
  DequantizeLevelOf(isa).to_bf16(in, values, out);
}

}  // namespace tenon::cpu
