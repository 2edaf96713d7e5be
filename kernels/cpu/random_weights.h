// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/half.h"
#include "tenon/dtype.h"

// Random stored weights and activations, for tests and benchmarks only.
namespace tenon::cpu {

// Byte offsets of the f16 scales in one block; ended by -1.
struct HalfOffsets {
  int at[3];
};

inline HalfOffsets HalfOffsetsOf(DType type) {
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {{0, 2, -1}};
    case DType::kQ6_K:
      return {{208, -1, -1}};
    case DType::kF8E4M3:
      return {{-1, -1, -1}};
    default:
      return {{0, -1, -1}};
  }
}

// `values` stored values with random codes, the scales within ±0.02; F8 within ±2.
inline std::vector<uint8_t> RandomStored(DType type, int64_t values, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> scale(-0.02f, 0.02f);
  std::vector<uint8_t> stored(BytesOf(type, static_cast<uint64_t>(values)));
  if (type == DType::kF32) {
    for (size_t i = 0; i < stored.size(); i += 4) {
      const float value = scale(random);
      std::memcpy(&stored[i], &value, 4);
    }
    return stored;
  }
  if (type == DType::kF16 || type == DType::kBF16) {
    for (size_t i = 0; i < stored.size(); i += 2) {
      const float value = scale(random);
      const uint16_t half = type == DType::kF16 ? F32ToF16(value) : F32ToBf16(value);
      std::memcpy(&stored[i], &half, 2);
    }
    return stored;
  }
  for (uint8_t& byte : stored) byte = static_cast<uint8_t>(random());
  if (type == DType::kF8E4M3) {
    for (uint8_t& code : stored) code &= 0xbf;  // below 2, and no NaN
  }
  const HalfOffsets offsets = HalfOffsetsOf(type);
  for (size_t block = 0; block < stored.size(); block += Layout(type).block_bytes) {
    for (int i = 0; offsets.at[i] >= 0; ++i) {
      const uint16_t half = F32ToF16(scale(random));
      std::memcpy(&stored[block + static_cast<size_t>(offsets.at[i])], &half, 2);
    }
  }
  return stored;
}

inline std::vector<float> RandomFloats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// Memory at a multiple of 64 bytes.
class AlignedBytes {
 public:
  explicit AlignedBytes(int64_t bytes) : bytes_(static_cast<size_t>(bytes) + 64) {}
  template <typename T>
  T* As() {
    const uintptr_t address = reinterpret_cast<uintptr_t>(bytes_.data());
    return reinterpret_cast<T*>((address + 63) / 64 * 64);
  }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace tenon::cpu
