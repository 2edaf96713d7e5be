// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/numbers.h"

#include <cmath>
#include <cstring>
#include <random>

namespace tenon::testing {
namespace {

// A float of `fraction` bits after the leading one, the smallest normal exponent `lowest`, and
// nothing finite from `limit` on.
double RoundFloat(double value, int fraction, int lowest, double limit) {
  if (!std::isfinite(value) || value == 0) return value;
  const int exponent = std::max(std::ilogb(value), lowest);
  const double unit = std::ldexp(1.0, exponent - fraction);
  const double rounded = std::nearbyint(value / unit) * unit;
  return std::abs(rounded) >= limit ? std::copysign(INFINITY, value) : rounded;
}

// sign, exponent, fraction; `finite_top`: the largest exponent holds numbers too (E4M3).
double ReadFloat(uint32_t bits, int exponent_bits, int fraction_bits, bool finite_top) {
  const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
  const uint32_t top = (1u << exponent_bits) - 1;
  const uint32_t exponent = bits >> fraction_bits & top;
  const double sign = (bits >> (fraction_bits + exponent_bits) & 1u) != 0 ? -1 : 1;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == top && !finite_top) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == top && fraction == (1u << fraction_bits) - 1) return NAN;
  const double lead = exponent == 0 ? 0 : 1;
  const int power = (exponent == 0 ? 1 : static_cast<int>(exponent)) - bias;
  return sign * std::ldexp(lead + std::ldexp(fraction, -fraction_bits), power);
}

double HalfAt(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, 2);
  return ReadFloat(bits, 5, 10, false);
}

// f16 bits of a number in ±[2^-14, 1).
uint16_t HalfBits(double value) {
  const double rounded = std::abs(RoundFloat(value, 10, -14, 65520));
  if (rounded < 0x1p-14) return value < 0 ? 0x8000 : 0;
  const int exponent = std::ilogb(rounded);
  const double fraction = std::ldexp(rounded, 10 - exponent) - 1024;
  const uint32_t bits =
      static_cast<uint32_t>(exponent + 15) << 10 | static_cast<uint32_t>(fraction);
  return static_cast<uint16_t>(bits | (value < 0 ? 0x8000u : 0u));
}

void PutHalf(uint8_t* to, double value) {
  const uint16_t bits = HalfBits(value);
  std::memcpy(to, &bits, 2);
}

// Eight 6-bit scales and minima in 12 bytes (Q4_K, Q5_K).
void ReadScales(const uint8_t* s, int i, int* scale, int* minimum) {
  if (i < 4) {
    *scale = s[i] & 63;
    *minimum = s[i + 4] & 63;
  } else {
    *scale = (s[i + 4] & 15) | (s[i - 4] >> 6) << 4;
    *minimum = s[i + 4] >> 4 | (s[i] >> 6) << 4;
  }
}

void Read32(DType type, const uint8_t* b, double* out) {
  const bool has_min = type == DType::kQ4_1 || type == DType::kQ5_1;
  const bool five = type == DType::kQ5_0 || type == DType::kQ5_1;
  const double d = HalfAt(b), m = has_min ? HalfAt(b + 2) : 0;
  const uint8_t* at = b + (has_min ? 4 : 2);
  uint32_t high = 0;
  if (five) std::memcpy(&high, at, 4);
  const uint8_t* low = at + (five ? 4 : 0);
  const int middle = has_min ? 0 : five ? 16 : 8;
  for (uint32_t i = 0; i < 32; ++i) {
    int code = i < 16 ? low[i] & 15 : low[i - 16] >> 4;
    if (five) code |= static_cast<int>(high >> i & 1u) << 4;
    out[i] = d * (code - middle) + m;
  }
}

void ReadK45(bool five, const uint8_t* b, double* out) {
  const double d = HalfAt(b), dmin = HalfAt(b + 2);
  const uint8_t* high = b + 16;
  const uint8_t* low = b + (five ? 48 : 16);
  for (int s = 0; s < 8; ++s) {
    int scale, minimum;
    ReadScales(b + 4, s, &scale, &minimum);
    for (int i = 0; i < 32; ++i) {
      int code = low[32 * (s / 2) + i] >> (s % 2 == 0 ? 0 : 4) & 15;
      if (five) code |= (high[i] >> s & 1) << 4;
      out[32 * s + i] = d * scale * code - dmin * minimum;
    }
  }
}

void ReadQ6K(const uint8_t* b, double* out) {
  const double d = HalfAt(b + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, in_half = i % 128, quarter = in_half / 32, l = in_half % 32;
    const int low = b[64 * half + 32 * (quarter % 2) + l] >> (quarter < 2 ? 0 : 4) & 15;
    const int high = b[128 + 32 * half + l] >> (2 * quarter) & 3;
    const int scale = static_cast<int8_t>(b[192 + i / 16]);
    out[i] = d * scale * ((low | high << 4) - 32);
  }
}

double ReadPlain(DType type, const uint8_t* at) {
  uint32_t bits = 0;
  std::memcpy(&bits, at, Layout(type).block_bytes);
  switch (type) {
    case DType::kF16:
      return ReadFloat(bits, 5, 10, false);
    case DType::kBF16:
      return ReadFloat(bits, 8, 7, false);
    case DType::kF8E4M3:
      return ReadFloat(bits, 4, 3, true);
    case DType::kI8:
      return static_cast<int8_t>(bits);
    case DType::kI32:
      return static_cast<int32_t>(bits);
    default:
      break;
  }
  float value;
  std::memcpy(&value, at, 4);
  return value;
}

// Scales of a block with random codes.
void PutScales(DType type, double scale, double minimum, uint8_t* block) {
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      PutHalf(block, scale);
      PutHalf(block + 2, minimum);
      break;
    case DType::kQ6_K:
      PutHalf(block + 208, scale);
      break;
    default:
      PutHalf(block, scale);
  }
}

void PutPlain(DType type, float value, std::mt19937_64& random, uint8_t* to) {
  if (type == DType::kF32) std::memcpy(to, &value, 4);
  if (type == DType::kF16) PutHalf(to, value);
  if (type == DType::kBF16) {
    const float rounded = static_cast<float>(RoundTo(DType::kBF16, value));
    std::memcpy(to, reinterpret_cast<const uint8_t*>(&rounded) + 2, 2);
  }
  // Exponents of E4M3 that stand for less than 2.
  if (type == DType::kF8E4M3) *to = static_cast<uint8_t>(random() % 56 | (random() & 1) << 7);
  if (type == DType::kI8) *to = static_cast<uint8_t>(random());
}

}  // namespace

float NumberAt(uint64_t seed, uint64_t a, uint64_t b, uint64_t c) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + a * 0xbf58476d1ce4e5b9u + b * 0x94d049bb133111ebu +
               c * 0xd6e8feb86659fd93u;
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
  x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
  x ^= x >> 32;
  return static_cast<float>(x >> 40) * 0x1p-23f - 1;
}

double RoundTo(DType type, double value) {
  if (type == DType::kF16) return RoundFloat(value, 10, -14, 65520);
  if (type == DType::kBF16) return RoundFloat(value, 7, -126, 0x1p128);
  return value;
}

DType TypeNamed(const std::string& name) {
  for (uint32_t i = 0; i < kDTypeCount; ++i) {
    if (name == kDTypeLayouts[i].name) return static_cast<DType>(i);
  }
  return DType::kF32;
}

std::vector<uint8_t> RandomStored(DType type, int64_t values, uint64_t seed) {
  std::mt19937_64 random(seed);
  const DTypeLayout& layout = Layout(type);
  std::vector<uint8_t> stored(BytesOf(type, static_cast<uint64_t>(values)));
  for (size_t at = 0, i = 0; at < stored.size(); at += layout.block_bytes, ++i) {
    const float part = NumberAt(seed, 1, i, 0);
    if (layout.block_values == 1) {
      PutPlain(type, 0.03f * part, random, &stored[at]);
      continue;
    }
    for (uint32_t j = 0; j < layout.block_bytes; ++j) {
      stored[at + j] = static_cast<uint8_t>(random() >> 32);
    }
    PutScales(type, 0.004 * (part > 0 ? part + 0.1 : part - 0.1), 0.02 * NumberAt(seed, 2, i, 0),
              &stored[at]);
  }
  return stored;
}

std::vector<double> ReadStored(DType type, const uint8_t* stored, int64_t values) {
  std::vector<double> out(static_cast<size_t>(values));
  const DTypeLayout& layout = Layout(type);
  for (int64_t i = 0; i < values; i += layout.block_values, stored += layout.block_bytes) {
    double* to = &out[static_cast<size_t>(i)];
    if (layout.block_values == 1) {
      *to = ReadPlain(type, stored);
    } else if (type == DType::kQ8_0) {
      for (int j = 0; j < 32; ++j) to[j] = HalfAt(stored) * static_cast<int8_t>(stored[2 + j]);
    } else if (layout.block_values == 32) {
      Read32(type, stored, to);
    } else if (type == DType::kQ6_K) {
      ReadQ6K(stored, to);
    } else {
      ReadK45(type == DType::kQ5_K, stored, to);
    }
  }
  return out;
}

}  // namespace tenon::testing
