// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/int8_gemm.h"

#include <cmath>
#include <cstring>

#include "kernels/cpu/half.h"
#include "kernels/cpu/int8_gemm_levels.h"

// The baseline: the same panels, read with plain loops, so that any machine gives the same
// bits.
namespace tenon::cpu {
namespace {

constexpr int R = kInt8PanelRows;

struct Weights {
  uint8_t u[8][R][4];  // [group, row, k]
  float d[2][R];
  float m[R];
};

float HalfAt(const uint8_t* p, int i) {
  uint16_t half;
  std::memcpy(&half, p + 2 * i, sizeof(half));
  return F16ToF32(half);
}

template <int kBits>
void LoadCodes(const uint8_t* codes, Weights* w) {
  if constexpr (kBits == 8) {
    std::memcpy(w->u, codes, sizeof(w->u));
    return;
  }
  uint8_t* u = &w->u[0][0][0];
  for (int g = 0; g < 8; ++g) {
    for (int i = 0; i < 4 * R; ++i) {
      uint32_t code = (codes[g % 4 * 4 * R + i] >> (g / 4 * 4)) & 15u;
      if constexpr (kBits == 5) code |= ((codes[16 * R + i] >> g) & 1u) << 4;
      if constexpr (kBits == 6) {
        code |= ((codes[(16 + g / 4 * 4) * R + i] >> (g % 4 * 2)) & 3u) << 4;
      }
      u[g * 4 * R + i] = static_cast<uint8_t>(code);
    }
  }
}

template <DType kType>
void LoadScales(const uint8_t* scales, int64_t b, Weights* w) {
  constexpr bool kSix = kType == DType::kQ4_K || kType == DType::kQ5_K;
  for (int r = 0; r < R; ++r) {
    if constexpr (kSix) {
      const uint8_t* s = scales + b / 8 * 20 * R;
      const uint8_t* six = s + 4 * R + b % 8 * 2 * R;
      w->d[0][r] = HalfAt(s, r) * static_cast<float>(six[r]);
      w->m[r] = -(HalfAt(s + 2 * R, r) * static_cast<float>(six[R + r]));
    } else if constexpr (kType == DType::kQ6_K) {
      const uint8_t* s = scales + b / 8 * 18 * R;
      const uint8_t* sixteens = s + 2 * R + b % 8 * 2 * R;
      w->d[0][r] = HalfAt(s, r) * static_cast<float>(static_cast<int8_t>(sixteens[r]));
      w->d[1][r] = HalfAt(s, r) * static_cast<float>(static_cast<int8_t>(sixteens[R + r]));
    } else if constexpr (KindOf(kType).minimum) {
      w->d[0][r] = HalfAt(scales + b * 4 * R, r);
      w->m[r] = HalfAt(scales + b * 4 * R + 2 * R, r);
    } else {
      w->d[0][r] = HalfAt(scales + b * 2 * R, r);
    }
  }
}

int32_t Dot(const Weights& w, int row, const int8_t* q, int first, int last) {
  int32_t sum = 0;
  for (int g = first; g < last; ++g) {
    for (int i = 0; i < 4; ++i) sum += w.u[g][row][i] * q[4 * g + i];
  }
  return sum;
}

template <Int8Kind kKind>
float Accumulate(const Weights& w, int row, const Int8Block& a, float acc) {
  const float d = w.d[0][row] * a.scale;
  if constexpr (kKind.halves) {
    const int32_t first = Dot(w, row, a.q, 0, 4) + a.offset6[0];
    const int32_t last = Dot(w, row, a.q, 4, 8) + a.offset6[1];
    acc = std::fma(static_cast<float>(first), d, acc);
    return std::fma(static_cast<float>(last), w.d[1][row] * a.scale, acc);
  } else {
    const int32_t sum = Dot(w, row, a.q, 0, 8) + StartOf<kKind>(a);
    acc = std::fma(static_cast<float>(sum), d, acc);
    return kKind.minimum ? std::fma(w.m[row], a.scaled_sum, acc) : acc;
  }
}

template <DType kType>
struct PackedSource {
  static constexpr Int8Kind kKind = KindOf(kType);
  Int8Panel panel;

  void Load(int64_t b, Weights* w) const {
    LoadCodes<kKind.bits>(panel.codes + b * CodeVectors(kKind.bits) * 4 * R, w);
    LoadScales<kType>(panel.scales, b, w);
  }
};

struct Generic {
  static constexpr int kTile = 4;

  template <DType kType>
  using Packed = PackedSource<kType>;

  template <typename Source, int kTokens>
  static void Tile(const Source& source, const Int8Tile& tile, const Epilogue& e, int64_t token,
                   int64_t row, int64_t rows) {
    float acc[kTokens][R] = {};
    Weights w;
    for (int64_t b = 0; b < tile.blocks; ++b) {
      source.Load(b, &w);
      for (int t = 0; t < kTokens; ++t) {
        const Int8Block& a = tile.x[t][b];
        for (int r = 0; r < R; ++r) acc[t][r] = Accumulate<Source::kKind>(w, r, a, acc[t][r]);
      }
    }
    for (int t = 0; t < kTokens; ++t) {
      for (int64_t r = 0; r < rows; ++r) {
        float sum = acc[t][r];
        if (e.bias != nullptr) sum += e.bias[row + r];
        if (e.residual != nullptr) sum += e.residual[(token + t) * e.residual_stride + row + r];
        OutRow(e, token + t)[row + r] = sum;
      }
    }
  }
};

}  // namespace

void Int8GemmGeneric(const Int8Gemm& gemm) { Int8GemmLevel<Generic>(gemm); }

void RunInt8Gemm(Isa isa, const Int8Gemm& gemm) {
  switch (isa) {
    case Isa::kAvx512:
      return Int8GemmAvx512(gemm);
    case Isa::kAvx2Vnni:
      return Int8GemmAvx2Vnni(gemm);
    case Isa::kAvx2:
      return Int8GemmAvx2(gemm);
    case Isa::kGeneric:
      return Int8GemmGeneric(gemm);
  }
}

}  // namespace tenon::cpu
