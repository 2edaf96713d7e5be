// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "kernels/cpu/half.h"

namespace tenon::cpu {
namespace {

struct GoldenEntry {
  DType type;
  std::vector<uint8_t> stored;
  std::vector<float> values;
};

// tests/data/kernels/README.md describes the file.
std::vector<GoldenEntry> ReadGolden() {
  std::ifstream file(TENON_SOURCE_DIR "/tests/data/kernels/dequantize_golden.bin",
                     std::ios::binary);
  std::vector<GoldenEntry> entries;
  uint32_t header[3];
  while (file.read(reinterpret_cast<char*>(header), sizeof(header))) {
    GoldenEntry entry{static_cast<DType>(header[0]), std::vector<uint8_t>(header[2]),
                      std::vector<float>(header[1])};
    file.read(reinterpret_cast<char*>(entry.stored.data()), header[2]);
    file.read(reinterpret_cast<char*>(entry.values.data()), 4 * std::streamsize{header[1]});
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<Isa> LevelsHere() {
  std::vector<Isa> levels;
  for (uint32_t i = 0; i < kIsaCount; ++i) {
    if (IsaLevels()[i].available) levels.push_back(IsaLevels()[i].isa);
  }
  return levels;
}

// OCP FP8 E4M3: 1.m 2^(e - 7), 0.m 2^-6 for e = 0, NaN for all ones.
TEST(Dequantize, ReadsEveryF8CodeAtEveryLevelInWholeVectorsAndTheRest) {
  std::vector<uint8_t> codes(256 + 253);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  for (Isa isa : LevelsHere()) {
    std::vector<float> out(codes.size());
    Dequantize(isa, DType::kF8E4M3, codes.data(), static_cast<int64_t>(codes.size()), out.data());
    for (size_t i = 0; i < codes.size(); ++i) {
      const int e = codes[i] >> 3 & 15, m = codes[i] & 7;
      const double size = e == 0 ? std::ldexp(m, -9) : std::ldexp(8 + m, e - 10);
      const bool negative = codes[i] >= 128;
      ASSERT_EQ(std::signbit(out[i]), negative) << i;
      if ((codes[i] & 0x7f) == 0x7f) {
        ASSERT_EQ(BitsFromFloat(out[i]), negative ? 0xffc00000u : 0x7fc00000u) << i;
      } else {
        ASSERT_EQ(out[i], negative ? -size : size) << i << " at " << LevelOf(isa).name;
      }
    }
  }
}

TEST(Dequantize, GivesTheValuesOfAnIndependentReaderExactly) {
  const std::vector<GoldenEntry> golden = ReadGolden();
  ASSERT_EQ(golden.size(), 11u);
  for (Isa isa : LevelsHere()) {
    for (const GoldenEntry& entry : golden) {
      std::vector<float> out(entry.values.size());
      Dequantize(isa, entry.type, entry.stored.data(), static_cast<int64_t>(out.size()),
                 out.data());
      for (size_t i = 0; i < out.size(); ++i) {
        ASSERT_EQ(out[i], entry.values[i])
            << Layout(entry.type).name << " value " << i << " at " << LevelOf(isa).name << ": "
            << out[i] << " instead of " << entry.values[i];
      }
    }
  }
}

TEST(Dequantize, KnowsWhatItCannotRead) {
  EXPECT_TRUE(CanDequantize(DType::kF32));
  EXPECT_TRUE(CanDequantize(DType::kQ6_K));
  EXPECT_FALSE(CanDequantize(DType::kI8));
  EXPECT_FALSE(CanDequantize(DType::kI32));
  EXPECT_FALSE(CanDequantize(static_cast<DType>(999)));
}

TEST(Half, TurnsEveryF16IntoF32AndBack) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = F16ToF32(static_cast<uint16_t>(half));
    if (std::isnan(value)) {
      EXPECT_GT(half & 0x7fffu, 0x7c00u);
      EXPECT_GT(F32ToF16(value) & 0x7fffu, 0x7c00u);
    } else {
      ASSERT_EQ(F32ToF16(value), half);
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(F32ToF16(65519.0f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(F32ToF16(0x1p-25f), 0x0000);
  EXPECT_EQ(F32ToF16(0x1.8p-25f), 0x0001);
  EXPECT_EQ(F32ToF16(1.0f + 0x1p-11f), 0x3c00);
  EXPECT_EQ(F32ToF16(1.0f + 0x3p-11f), 0x3c02);
  EXPECT_EQ(F32ToBf16(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(F32ToBf16(1.0f + 0x3p-8f), 0x3f82);
  EXPECT_EQ(F32ToBf16(FloatFromBits(0x7f7fffff)), 0x7f80);
  EXPECT_TRUE(std::isnan(Bf16ToF32(F32ToBf16(FloatFromBits(0x7f800001)))));
}

TEST(Half, ConvertsRowsLikeSingleValuesAtEveryLevel) {
  std::vector<float> in;
  for (uint32_t i = 0; i < 4099; ++i) in.push_back(FloatFromBits(i * 1048573u));
  for (float& value : in) value = std::isnan(value) ? 1.0f : value;
  std::vector<uint16_t> out(in.size());
  for (Isa isa : LevelsHere()) {
    const int64_t count = static_cast<int64_t>(in.size());
    ConvertToF16(isa, in.data(), count, out.data());
    for (size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], F32ToF16(in[i])) << in[i];
    ConvertToBf16(isa, in.data(), count, out.data());
    for (size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], F32ToBf16(in[i])) << in[i];
  }
}

TEST(Isa, ChoosesTheBestOneUnlessNamed) {
  const IsaChoice best = ChooseIsa(nullptr);
  EXPECT_EQ(best.status, Status::kOk);
  EXPECT_FALSE(best.forced);
  EXPECT_EQ(best.isa, LevelsHere().back());
  EXPECT_EQ(ChooseIsa("").isa, best.isa);
  const IsaChoice generic = ChooseIsa("generic");
  EXPECT_EQ(generic.status, Status::kOk);
  EXPECT_EQ(generic.isa, Isa::kGeneric);
  EXPECT_TRUE(generic.forced);
}

TEST(Isa, RefusesUnknownAndMissingLevelsByName) {
  const std::string long_name(5000, 'x');
  EXPECT_EQ(ChooseIsa(long_name.c_str()).status, Status::kInvalid);
  const IsaChoice unknown = ChooseIsa("sse9");
  EXPECT_EQ(unknown.status, Status::kInvalid);
  EXPECT_NE(std::strstr(unknown.message, "\"sse9\""), nullptr) << unknown.message;
  EXPECT_NE(std::strstr(unknown.message, "generic"), nullptr) << unknown.message;
  for (uint32_t i = 0; i < kIsaCount; ++i) {
    const IsaLevel& level = IsaLevels()[i];
    const Status expected = level.available ? Status::kOk : Status::kUnsupported;
    EXPECT_EQ(ChooseIsa(level.name).status, expected);
  }
}

}  // namespace
}  // namespace tenon::cpu
