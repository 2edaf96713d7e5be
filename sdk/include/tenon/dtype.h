// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenon {

// How numbers are stored. Values are part of the ABI: append only.
// Block types are GGUF's, bit for bit (ggml-common.h describes them; little endian).
enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kBF16 = 2,
  kF8E4M3 = 3,
  kI8 = 4,
  kI32 = 5,
  kQ4_0 = 6,   // 32 values: f16 d, 16 B of nibbles;                   y = d (q - 8)
  kQ4_1 = 7,   // 32 values: f16 d, f16 m, 16 B of nibbles;            y = d q + m
  kQ5_0 = 8,   // 32 values: f16 d, 4 B of high bits, 16 B of nibbles; y = d (q - 16)
  kQ5_1 = 9,   // 32 values: f16 d, f16 m, 4 B high, 16 B of nibbles;  y = d q + m
  kQ8_0 = 10,  // 32 values: f16 d, 32 B of int8;                      y = d q
  kQ4_K = 11,  // 256 values: f16 d, f16 dmin, 12 B scales, 128 B
  kQ5_K = 12,  // 256 values: f16 d, f16 dmin, 12 B scales, 32 B high, 128 B
  kQ6_K = 13,  // 256 values: 128 B low, 64 B high, 16 B int8 scales, f16 d
};
inline constexpr uint32_t kDTypeCount = 14;

struct DTypeLayout {
  const char* name;
  uint32_t block_values;  // values in one block; 1 for plain types
  uint32_t block_bytes;   // bytes of one block
};

inline constexpr DTypeLayout kDTypeLayouts[kDTypeCount] = {
    {"f32", 1, 4},    {"f16", 1, 2},      {"bf16", 1, 2},     {"f8_e4m3", 1, 1},  {"i8", 1, 1},
    {"i32", 1, 4},    {"q4_0", 32, 18},   {"q4_1", 32, 20},   {"q5_0", 32, 22},   {"q5_1", 32, 24},
    {"q8_0", 32, 34}, {"q4_k", 256, 144}, {"q5_k", 256, 176}, {"q6_k", 256, 210},
};

// REQUIRES: dtype is one of the enumerators.
constexpr const DTypeLayout& Layout(DType dtype) {
  return kDTypeLayouts[static_cast<uint32_t>(dtype)];
}

// Bytes of `values` consecutive values. REQUIRES: values is a multiple of the type's block_values.
constexpr uint64_t BytesOf(DType dtype, uint64_t values) {
  const DTypeLayout& layout = Layout(dtype);
  return values / layout.block_values * layout.block_bytes;
}

// A read-only matrix in host memory, row-major and dense; a vector has rows == 1. Does not own.
struct Tensor {
  DType dtype;
  const void* data;
  int64_t rows;
  int64_t columns;  // a multiple of the type's block_values
};

}  // namespace tenon
