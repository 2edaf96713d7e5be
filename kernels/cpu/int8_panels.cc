// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/int8_panels.h"

#include <cstring>

#include "kernels/cpu/blocks.h"

namespace tenon::cpu {
namespace {

constexpr int64_t RoundUp64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Bytes of scales for one row and one block of the type.
int64_t ScaleBytes(DType type) {
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_1:
      return 4;
    case DType::kQ4_K:
    case DType::kQ5_K:
      return 4 + 8 * 2;
    case DType::kQ6_K:
      return 2 + 8 * 2;
    default:
      return 2;
  }
}

// One row's place in a panel.
struct PanelRow {
  uint8_t* scales;  // of the current block
  uint8_t* codes;   // of the current 32 k
  int64_t row;

  void PutHalf(int64_t item_bytes, const uint8_t* half) const {
    std::memcpy(scales + item_bytes * kInt8PanelRows + 2 * row, half, 2);
  }
  void PutByte(int64_t item_bytes, uint8_t value) const {
    scales[item_bytes * kInt8PanelRows + row] = value;
  }
  void PutWord(int64_t vector, uint32_t word) const {
    std::memcpy(codes + 4 * (vector * kInt8PanelRows + row), &word, 4);
  }
};

template <DType kType>
void PutScales(const PanelRow& to, const uint8_t* block) {
  if constexpr (kType == DType::kQ4_K || kType == DType::kQ5_K) {
    uint8_t scale[8], minimum[8];
    UnpackScales6(block + 4, scale, minimum);
    to.PutHalf(0, block);
    to.PutHalf(2, block + 2);
    for (int j = 0; j < 8; ++j) {
      to.PutByte(4 + 2 * j, scale[j]);
      to.PutByte(5 + 2 * j, minimum[j]);
    }
  } else if constexpr (kType == DType::kQ6_K) {
    to.PutHalf(0, block + 208);
    for (int j = 0; j < 16; ++j) to.PutByte(2 + j, block[192 + j]);
  } else {
    to.PutHalf(0, block);
    if constexpr (kType == DType::kQ4_1 || kType == DType::kQ5_1) to.PutHalf(2, block + 2);
  }
}

template <int kBits>
void PutCodes(const PanelRow& to, const uint8_t* code) {
  uint32_t group[8];
  std::memcpy(group, code, sizeof(group));
  if constexpr (kBits == 8) {
    for (int g = 0; g < 8; ++g) to.PutWord(g, group[g]);
    return;
  }
  constexpr uint32_t kLow = 0x0f0f0f0fu;
  for (int v = 0; v < 4; ++v) {
    to.PutWord(v, (group[v] & kLow) | ((group[v + 4] & kLow) << 4));
  }
  if constexpr (kBits == 5) {
    uint32_t high = 0;
    for (int g = 0; g < 8; ++g) high |= ((group[g] >> 4) & 0x01010101u) << g;
    to.PutWord(4, high);
  }
  if constexpr (kBits == 6) {
    for (int half = 0; half < 2; ++half) {
      uint32_t high = 0;
      for (int f = 0; f < 4; ++f) high |= ((group[4 * half + f] >> 4) & 0x03030303u) << (2 * f);
      to.PutWord(4 + half, high);
    }
  }
}

template <DType kType, int kBits>
void PackRow(const uint8_t* stored, int64_t k, PanelRow to) {
  constexpr int64_t kValues = kDTypeLayouts[static_cast<uint32_t>(kType)].block_values;
  constexpr int64_t kBytes = kDTypeLayouts[static_cast<uint32_t>(kType)].block_bytes;
  const int64_t scale_step = ScaleBytes(kType) * kInt8PanelRows;
  const int64_t code_step = Int8CodeBytes(kType) * kInt8PanelRows;
  BlockCodes codes;
  for (int64_t first = 0; first < k; first += kValues) {
    UnpackBlock<kType>(stored, &codes);
    PutScales<kType>(to, stored);
    for (int64_t i = 0; i < kValues; i += 32, to.codes += code_step) {
      PutCodes<kBits>(to, codes.code + i);
    }
    stored += kBytes;
    to.scales += scale_step;
  }
}

using PackRowFunction = void (*)(const uint8_t* stored, int64_t k, PanelRow to);

PackRowFunction PackRowOf(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return PackRow<DType::kQ4_0, 4>;
    case DType::kQ4_1:
      return PackRow<DType::kQ4_1, 4>;
    case DType::kQ5_0:
      return PackRow<DType::kQ5_0, 5>;
    case DType::kQ5_1:
      return PackRow<DType::kQ5_1, 5>;
    case DType::kQ8_0:
      return PackRow<DType::kQ8_0, 8>;
    case DType::kQ4_K:
      return PackRow<DType::kQ4_K, 4>;
    case DType::kQ5_K:
      return PackRow<DType::kQ5_K, 5>;
    case DType::kQ6_K:
      return PackRow<DType::kQ6_K, 6>;
    default:
      return nullptr;
  }
}

}  // namespace

bool CanPackInt8(DType type) { return PackRowOf(type) != nullptr; }

int64_t Int8CodeBytes(DType type) {
  switch (type) {
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ5_K:
      return 20;
    case DType::kQ6_K:
      return 24;
    case DType::kQ8_0:
      return 32;
    default:
      return 16;
  }
}

int64_t Int8CodesOffset(DType type, int64_t k) {
  return RoundUp64(k / Layout(type).block_values * ScaleBytes(type) * kInt8PanelRows);
}

int64_t Int8PanelBytes(DType type, int64_t k) {
  return Int8CodesOffset(type, k) + RoundUp64(k / 32 * Int8CodeBytes(type) * kInt8PanelRows);
}

void PackInt8Panel(DType type, const void* w, int64_t row_bytes, int64_t rows, int64_t k,
                   void* panel) {
  uint8_t* scales = static_cast<uint8_t*>(panel);
  uint8_t* codes = scales + Int8CodesOffset(type, k);
  if (rows < kInt8PanelRows) {
    std::memset(panel, 0, static_cast<size_t>(Int8PanelBytes(type, k)));
  }
  const PackRowFunction pack = PackRowOf(type);
  const uint8_t* stored = static_cast<const uint8_t*>(w);
  for (int64_t r = 0; r < rows; ++r) {
    pack(stored + r * row_bytes, k, {scales, codes, r});
  }
}

}  // namespace tenon::cpu
