// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/attention.h"
#include "kernels/cpu/exp.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/kv_int8.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// The part of attention_levels.h that reads and writes KV blocks: the stored types, one token
// appended, rows of f32 packed. Everything is local to the file that includes it.
namespace tenon::cpu {
namespace {

// The stored types: a vector read, one value written. What is stored with scales is read without.
struct StoredF32 {
  static constexpr bool kScaled = false;
  using Value = float;
  static inline FloatVector Load(const Value* from) { return LoadVector(from); }
  static inline Value Round(float value) { return value; }
};

struct StoredF16 {
  static constexpr bool kScaled = false;
  using Value = uint16_t;
  static inline FloatVector Load(const Value* from) {
#if defined(__AVX512F__)
    // With a full mask, since g++ 12 warns of the plain form's undefined source operand.
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_maskz_cvtph_ps(0xffff, half);
#elif defined(__AVX2__)
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#else
    FloatVector v{};
    for (int i = 0; i < kFloatLanes; ++i) v[i] = F16ToF32(from[i]);
    return v;
#endif
  }
  static inline Value Round(float value) {
#if defined(__AVX2__)
    return static_cast<Value>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
    return F32ToF16(value);
#endif
  }
};

struct StoredBf16 {
  static constexpr bool kScaled = false;
  using Value = uint16_t;
  static inline FloatVector Load(const Value* from) {
    using Words [[gnu::vector_size(sizeof(FloatVector))]] = uint32_t;
#if defined(__AVX512F__)
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const Words words = __builtin_bit_cast(Words, _mm512_maskz_cvtepu16_epi32(0xffff, half));
#elif defined(__AVX2__)
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const Words words = __builtin_bit_cast(Words, _mm256_cvtepu16_epi32(half));
#else
    const Words words = {from[0], from[1], from[2], from[3]};
#endif
    return __builtin_bit_cast(FloatVector, words << 16);
  }
  static inline Value Round(float value) { return F32ToBf16(value); }
};

struct StoredI8 {
  static constexpr bool kScaled = true;
  using Value = int8_t;
  static inline FloatVector Load(const Value* from) {
#if defined(__AVX512F__)
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepi8_epi32(0xffff, codes));
#elif defined(__AVX2__)
    const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
#else
    FloatVector v{};
    for (int i = 0; i < kFloatLanes; ++i) v[i] = from[i];
    return v;
#endif
  }
};

template <typename Stored>
void AppendLatent(const KvBlock& block, const float* latent, const float* rope, int32_t slot,
                  uint8_t* to) {
  using Value = typename Stored::Value;
  const int32_t stride = block.key_stride();
  Value* row = reinterpret_cast<Value*>(to) + int64_t{slot} * stride;
  for (int32_t d = 0; d < block.value_dim; ++d) row[d] = Stored::Round(latent[d]);
  for (int32_t d = block.value_dim; d < block.head_dim; ++d) {
    row[d] = Stored::Round(rope[d - block.value_dim]);
  }
  for (int32_t d = block.head_dim; d < stride; ++d) row[d] = Value{};
}

template <typename Stored>
void Append(const KvBlock& block, const float* k, const float* v, int32_t slot, uint8_t* to) {
  using Value = typename Stored::Value;
  if (block.latent) return AppendLatent<Stored>(block, k, v, slot, to);
  Value* keys = reinterpret_cast<Value*>(to);
  for (int32_t d = 0; d < block.head_dim; ++d) keys[d * kKvBlockSlots + slot] = Stored::Round(k[d]);
  const int32_t stride = block.value_stride();
  Value* values = reinterpret_cast<Value*>(to + block.values_at()) + int64_t{slot} * stride;
  for (int32_t d = 0; d < block.value_dim; ++d) values[d] = Stored::Round(v[d]);
  for (int32_t d = block.value_dim; d < stride; ++d) values[d] = Value{};
}

void AppendInt8(const KvBlock& block, const float* k, const float* v, int32_t slot, uint8_t* to) {
  const Int8Rounding key = Int8RoundingOf(k, block.head_dim);
  int8_t* keys = reinterpret_cast<int8_t*>(to);
  for (int32_t d = 0; d < block.head_dim; ++d) keys[d * kKvBlockSlots + slot] = key.Code(k[d]);
  const Int8Rounding value = Int8RoundingOf(v, block.value_dim);
  const int32_t stride = block.value_stride();
  int8_t* values = reinterpret_cast<int8_t*>(to) + block.values_at() + int64_t{slot} * stride;
  for (int32_t d = 0; d < block.value_dim; ++d) values[d] = value.Code(v[d]);
  for (int32_t d = block.value_dim; d < stride; ++d) values[d] = 0;
  uint8_t* scales = to + block.scales_at() + sizeof(float) * static_cast<size_t>(slot);
  std::memcpy(scales, &key.scale, sizeof(float));
  std::memcpy(scales + sizeof(float) * kKvBlockSlots, &value.scale, sizeof(float));
}

void AppendAny(const KvBlock& block, const float* k, const float* v, int32_t slot, uint8_t* to) {
  if (block.dtype == DType::kI8) return AppendInt8(block, k, v, slot, to);
  if (block.dtype == DType::kF16) return Append<StoredF16>(block, k, v, slot, to);
  if (block.dtype == DType::kBF16) return Append<StoredBf16>(block, k, v, slot, to);
  Append<StoredF32>(block, k, v, slot, to);
}

// to[c][i] = from[i][c], of four rows and columns.
inline void TransposeFour(const float* from, int64_t stride, float* to, int64_t to_stride) {
  F32x4 row[4];
  for (int i = 0; i < 4; ++i) std::memcpy(&row[i], from + i * stride, sizeof(F32x4));
  const F32x4 low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const F32x4 low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const F32x4 high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const F32x4 high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  const F32x4 columns[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                            __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                            __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                            __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (int c = 0; c < 4; ++c) std::memcpy(to + c * to_stride, &columns[c], sizeof(F32x4));
}

void Pack(const KvBlock& block, const KvRows& rows, int32_t slots, float* to) {
  const int32_t whole = slots / 4 * 4, columns = block.head_dim / 4 * 4;
  for (int32_t slot = 0; slot < whole; slot += 4) {
    const float* k = rows.k + slot * rows.k_stride;
    for (int32_t d = 0; d < columns; d += 4) {
      TransposeFour(k + d, rows.k_stride, to + d * kKvBlockSlots + slot, kKvBlockSlots);
    }
  }
  for (int32_t slot = 0; slot < slots; ++slot) {
    const float* k = rows.k + slot * rows.k_stride;
    for (int32_t d = slot < whole ? columns : 0; d < block.head_dim; ++d) {
      to[d * kKvBlockSlots + slot] = k[d];
    }
  }
  float* values = to + int64_t{block.head_dim} * kKvBlockSlots;
  for (int32_t slot = 0; slot < slots; ++slot, values += block.value_stride()) {
    std::memcpy(values, rows.v + slot * rows.v_stride,
                sizeof(float) * static_cast<size_t>(block.value_dim));
    for (int32_t d = block.value_dim; d < block.value_stride(); ++d) values[d] = 0;
  }
}

}  // namespace
}  // namespace tenon::cpu
