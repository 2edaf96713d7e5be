// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/exact_gemm.h"
#include "kernels/cpu/int8_gemm.h"
#include "kernels/cpu/random_weights.h"

namespace tenon::cpu {
namespace {

constexpr DType kPackedTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                  DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr DType kPlainTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

std::vector<Isa> LevelsHere() {
  std::vector<Isa> levels;
  for (uint32_t i = 0; i < kIsaCount; ++i) {
    if (IsaLevels()[i].available) levels.push_back(IsaLevels()[i].isa);
  }
  return levels;
}

struct Case {
  DType type;
  int64_t rows, k, tokens;
  std::vector<uint8_t> stored;
  std::vector<float> x, bias, residual;

  int64_t row_bytes() const {
    return static_cast<int64_t>(BytesOf(type, static_cast<uint64_t>(k)));
  }
};

Case MakeCase(DType type, int64_t rows, int64_t k, int64_t tokens, uint32_t seed) {
  return {type,
          rows,
          k,
          tokens,
          RandomStored(type, rows * k, seed),
          RandomFloats(tokens * k, seed + 1),
          RandomFloats(rows, seed + 2),
          RandomFloats(tokens * rows, seed + 3)};
}

struct Cut {
  int64_t first_token, tokens;
  int64_t first_row, rows;
};

// Runs the part `cut` of the product into out [tokens, rows] of the whole case.
void RunExact(Isa isa, const Case& c, Cut cut, bool epilogue, float* out) {
  AlignedBytes scratch(ExactScratchFloats(c.k) * 4);
  ExactGemm gemm{};
  gemm.x = c.x.data() + cut.first_token * c.k;
  gemm.x_stride = c.k;
  gemm.tokens = cut.tokens;
  gemm.type = c.type;
  gemm.w = c.stored.data() + cut.first_row * c.row_bytes();
  gemm.row_bytes = c.row_bytes();
  gemm.rows = cut.rows;
  gemm.k = c.k;
  const int64_t at = cut.first_token * c.rows + cut.first_row;
  gemm.epilogue = {out + at, c.rows, epilogue ? c.bias.data() + cut.first_row : nullptr,
                   epilogue ? c.residual.data() + at : nullptr, c.rows};
  gemm.scratch = scratch.As<float>();
  RunExactGemm(isa, gemm);
}

std::vector<float> WholeExact(Isa isa, const Case& c, bool epilogue = false) {
  std::vector<float> out(static_cast<size_t>(c.tokens * c.rows));
  RunExact(isa, c, {0, c.tokens, 0, c.rows}, epilogue, out.data());
  return out;
}

struct PackedCase {
  AlignedBytes panels;
  int64_t panel_bytes;
  AlignedBytes x;
};

PackedCase Pack(Isa isa, const Case& c) {
  constexpr int64_t kPerPanel = kInt8PanelRows;
  const int64_t bytes = Int8PanelBytes(c.type, c.k);
  PackedCase packed{AlignedBytes((c.rows + kPerPanel - 1) / kPerPanel * bytes), bytes,
                    AlignedBytes(c.tokens * Int8Blocks(c.k) * int64_t{sizeof(Int8Block)})};
  for (int64_t row = 0; row < c.rows; row += kPerPanel) {
    PackInt8Panel(c.type, c.stored.data() + row * c.row_bytes(), c.row_bytes(),
                  std::min(kPerPanel, c.rows - row), c.k,
                  packed.panels.As<uint8_t>() + row / kPerPanel * bytes);
  }
  for (int64_t t = 0; t < c.tokens; ++t) {
    QuantizeInt8(isa, c.x.data() + t * c.k, c.k, packed.x.As<Int8Block>() + t * Int8Blocks(c.k));
  }
  return packed;
}

// REQUIRES: cut.first_row is a multiple of a panel's rows.
void RunInt8(Isa isa, const Case& c, PackedCase& packed, Cut cut, bool epilogue, float* out) {
  Int8Gemm gemm{};
  gemm.type = c.type;
  gemm.panels = packed.panels.As<uint8_t>() + cut.first_row / kInt8PanelRows * packed.panel_bytes;
  gemm.rows = cut.rows;
  gemm.k = c.k;
  gemm.x = packed.x.As<Int8Block>() + cut.first_token * Int8Blocks(c.k);
  gemm.tokens = cut.tokens;
  const int64_t at = cut.first_token * c.rows + cut.first_row;
  gemm.epilogue = {out + at, c.rows, epilogue ? c.bias.data() + cut.first_row : nullptr,
                   epilogue ? c.residual.data() + at : nullptr, c.rows};
  RunInt8Gemm(isa, gemm);
}

std::vector<float> WholeInt8(Isa isa, const Case& c, bool epilogue = false) {
  PackedCase packed = Pack(isa, c);
  std::vector<float> out(static_cast<size_t>(c.tokens * c.rows));
  RunInt8(isa, c, packed, {0, c.tokens, 0, c.rows}, epilogue, out.data());
  return out;
}

struct Reference {
  double value;
  double bound;  // Σ |x| max|w|: what rounding errors are proportional to
};

// out[t, n] in double, of the activations x [tokens, k].
std::vector<Reference> InDouble(const Case& c, const std::vector<float>& x) {
  std::vector<float> w(static_cast<size_t>(c.rows * c.k));
  Dequantize(Isa::kGeneric, c.type, c.stored.data(), c.rows * c.k, w.data());
  double largest = 0;
  for (float value : w) largest = std::max(largest, std::fabs(double{value}));
  std::vector<Reference> out;
  for (int64_t t = 0; t < c.tokens; ++t) {
    for (int64_t n = 0; n < c.rows; ++n) {
      Reference sum{0, 0};
      for (int64_t i = 0; i < c.k; ++i) {
        const double value = x[static_cast<size_t>(t * c.k + i)];
        sum.value += value * w[static_cast<size_t>(n * c.k + i)];
        sum.bound += std::fabs(value) * largest;
      }
      out.push_back(sum);
    }
  }
  return out;
}

std::vector<float> QuantizedInputs(const Case& c) {
  std::vector<float> x(c.x.size());
  std::vector<Int8Block> blocks(static_cast<size_t>(Int8Blocks(c.k)));
  for (int64_t t = 0; t < c.tokens; ++t) {
    QuantizeInt8(Isa::kGeneric, c.x.data() + t * c.k, c.k, blocks.data());
    for (int64_t i = 0; i < c.k; ++i) {
      const Int8Block& block = blocks[static_cast<size_t>(i / 32)];
      x[static_cast<size_t>(t * c.k + i)] = block.scale * block.q[i % 32];
    }
  }
  return x;
}

void ExpectClose(const std::vector<float>& out, const std::vector<Reference>& expected,
                 const Case& c, Isa isa) {
  for (size_t i = 0; i < out.size(); ++i) {
    ASSERT_NEAR(out[i], expected[i].value, 1e-6 * expected[i].bound + 1e-12)
        << Layout(c.type).name << " " << c.rows << "x" << c.k << ", " << c.tokens << " tokens, "
        << LevelOf(isa).name << ", value " << i;
  }
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

struct Shape {
  int64_t rows, blocks, tokens;
};
// Panels that are not full, and every tile of tokens.
constexpr Shape kShapes[] = {{1, 1, 1},  {16, 3, 1}, {19, 2, 3},
                             {40, 1, 8}, {7, 2, 16}, {33, 2, 37}};

TEST(ExactGemm, MatchesDoublesForEveryTypeAndLevel) {
  std::vector<DType> types(std::begin(kPackedTypes), std::end(kPackedTypes));
  types.insert(types.end(), std::begin(kPlainTypes), std::end(kPlainTypes));
  for (DType type : types) {
    for (const Shape& shape : kShapes) {
      const int64_t unit = Layout(type).block_values;
      const int64_t k = unit == 1 ? shape.blocks * 37 : shape.blocks * unit;
      const Case c = MakeCase(type, shape.rows, k, shape.tokens, 7);
      const std::vector<Reference> expected = InDouble(c, c.x);
      for (Isa isa : LevelsHere()) ExpectClose(WholeExact(isa, c), expected, c, isa);
    }
  }
}

TEST(ExactGemm, ValuesDependNeitherOnTheBatchNorOnTheSplit) {
  const Case c = MakeCase(DType::kQ4_1, 45, 96, 11, 3);
  for (Isa isa : LevelsHere()) {
    const std::vector<float> whole = WholeExact(isa, c);
    std::vector<float> parts(whole.size());
    for (int64_t t = 0; t < c.tokens; ++t) RunExact(isa, c, {t, 1, 0, c.rows}, false, parts.data());
    EXPECT_TRUE(SameBits(whole, parts)) << LevelOf(isa).name;
    for (int64_t row = 0; row < c.rows; row += 7) {
      const int64_t count = std::min<int64_t>(7, c.rows - row);
      RunExact(isa, c, {0, 4, row, count}, false, parts.data());
      RunExact(isa, c, {4, 7, row, count}, false, parts.data());
    }
    EXPECT_TRUE(SameBits(whole, parts)) << LevelOf(isa).name;
  }
}

TEST(ExactGemm, AddsBiasAndResidual) {
  const Case c = MakeCase(DType::kF32, 21, 50, 5, 4);
  for (Isa isa : LevelsHere()) {
    const std::vector<float> plain = WholeExact(isa, c), added = WholeExact(isa, c, true);
    for (size_t i = 0; i < plain.size(); ++i) {
      ASSERT_EQ(added[i], plain[i] + c.bias[i % 21] + c.residual[i]);
    }
  }
}

TEST(Int8Gemm, MatchesDoublesForEveryTypeAndLevel) {
  for (DType type : kPackedTypes) {
    for (const Shape& shape : kShapes) {
      const Case c =
          MakeCase(type, shape.rows, shape.blocks * Layout(type).block_values, shape.tokens, 11);
      const std::vector<Reference> expected = InDouble(c, QuantizedInputs(c));
      for (Isa isa : LevelsHere()) ExpectClose(WholeInt8(isa, c), expected, c, isa);
    }
  }
}

TEST(Int8Gemm, EveryLevelGivesTheSameBits) {
  for (DType type : kPackedTypes) {
    const Case c = MakeCase(type, 35, 512, 23, 12);
    const std::vector<float> generic = WholeInt8(Isa::kGeneric, c, true);
    for (Isa isa : LevelsHere()) {
      EXPECT_TRUE(SameBits(generic, WholeInt8(isa, c, true)))
          << Layout(type).name << " at " << LevelOf(isa).name;
    }
  }
}

// More tokens than a run of the product for many tokens holds, and more of k than its scratch.
TEST(Int8Gemm, ManyTokensHaveTheBitsOfOneAlone) {
  for (DType type : kPackedTypes) {
    const Case c = MakeCase(type, 45, 1536, 139, 16);
    for (Isa isa : LevelsHere()) {
      if (isa == Isa::kGeneric) continue;
      PackedCase packed = Pack(isa, c);
      const std::vector<float> whole = WholeInt8(isa, c, true);
      std::vector<float> parts(whole.size());
      for (int64_t t = 0; t < c.tokens; ++t) {
        RunInt8(isa, c, packed, {t, 1, 0, c.rows}, true, parts.data());
      }
      EXPECT_TRUE(SameBits(whole, parts)) << Layout(type).name << " " << LevelOf(isa).name;
      std::fill(parts.begin(), parts.end(), 0.0f);
      RunInt8(isa, c, packed, {0, 34, 0, c.rows}, true, parts.data());
      RunInt8(isa, c, packed, {34, 105, 0, 32}, true, parts.data());
      RunInt8(isa, c, packed, {34, 105, 32, 13}, true, parts.data());
      EXPECT_TRUE(SameBits(whole, parts)) << Layout(type).name << " " << LevelOf(isa).name;
    }
  }
}

TEST(Int8Gemm, ValuesDependNeitherOnTheBatchNorOnTheSplit) {
  for (DType type : kPackedTypes) {
    const Case c = MakeCase(type, 45, 256, 29, 13);
    for (Isa isa : LevelsHere()) {
      PackedCase packed = Pack(isa, c);
      const std::vector<float> whole = WholeInt8(isa, c);
      std::vector<float> parts(whole.size());
      for (int64_t t = 0; t < c.tokens; ++t) {
        RunInt8(isa, c, packed, {t, 1, 0, c.rows}, false, parts.data());
      }
      EXPECT_TRUE(SameBits(whole, parts)) << Layout(type).name << " " << LevelOf(isa).name;
      std::fill(parts.begin(), parts.end(), 0.0f);
      for (int64_t row = 0; row < c.rows; row += 16) {
        const int64_t count = std::min<int64_t>(16, c.rows - row);
        RunInt8(isa, c, packed, {0, 7, row, count}, false, parts.data());
        RunInt8(isa, c, packed, {7, 22, row, count}, false, parts.data());
      }
      EXPECT_TRUE(SameBits(whole, parts)) << Layout(type).name << " " << LevelOf(isa).name;
    }
  }
}

TEST(Int8Gemm, LargestCodesAndActivationsDoNotOverflow) {
  for (DType type : kPackedTypes) {
    for (float sign : {1.0f, -1.0f}) {
      Case c = MakeCase(type, 16, 256, 17, 14);
      const bool eight = type == DType::kQ8_0;
      for (uint8_t& byte : c.stored) byte = eight ? 0x7f : 0xff;
      const HalfOffsets offsets = HalfOffsetsOf(type);
      for (size_t block = 0; block < c.stored.size(); block += Layout(type).block_bytes) {
        for (int i = 0; offsets.at[i] >= 0; ++i) {
          const uint16_t one = F32ToF16(1.0f);
          std::memcpy(&c.stored[block + static_cast<size_t>(offsets.at[i])], &one, 2);
        }
      }
      for (float& value : c.x) value = sign;
      const std::vector<Reference> expected = InDouble(c, QuantizedInputs(c));
      for (Isa isa : LevelsHere()) ExpectClose(WholeInt8(isa, c), expected, c, isa);
    }
  }
}

TEST(Int8Gemm, AddsBiasAndResidualInPlace) {
  const Case c = MakeCase(DType::kQ8_0, 21, 64, 5, 15);
  for (Isa isa : LevelsHere()) {
    const std::vector<float> plain = WholeInt8(isa, c);
    std::vector<float> out = c.residual;
    Case in_place = c;
    PackedCase packed = Pack(isa, c);
    RunInt8(isa, in_place, packed, {0, c.tokens, 0, c.rows}, true, in_place.residual.data());
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(in_place.residual[i], plain[i] + c.bias[i % 21] + c.residual[i]);
    }
  }
}

TEST(QuantizeInt8, EveryLevelGivesTheSameBlocks) {
  // Fours of blocks with a strange one among them, then without.
  std::vector<float> x = RandomFloats(32 * 17, 16);
  for (int i = 32; i < 64; ++i) x[static_cast<size_t>(i)] = 0.0f;
  for (int i = 64; i < 96; ++i) x[static_cast<size_t>(i)] *= 1e-38f;
  for (int i = 96; i < 128; ++i) x[static_cast<size_t>(i)] *= 1e37f;
  x[130] = std::numeric_limits<float>::infinity();
  x[165] = -std::numeric_limits<float>::quiet_NaN();
  std::vector<Int8Block> expected(17), blocks(17);
  QuantizeInt8(Isa::kGeneric, x.data(), 32 * 17, expected.data());
  EXPECT_EQ(expected[1].scale, 0.0f);
  EXPECT_EQ(expected[2].scale, 0.0f);
  EXPECT_TRUE(std::isnan(expected[4].scale));
  EXPECT_TRUE(std::isnan(expected[5].scaled_sum));
  for (Isa isa : LevelsHere()) {
    QuantizeInt8(isa, x.data(), 32 * 17, blocks.data());
    for (size_t b = 0; b < blocks.size(); ++b) {
      EXPECT_EQ(std::memcmp(&blocks[b], &expected[b], offsetof(Int8Block, unused)), 0)
          << LevelOf(isa).name << " block " << b;
    }
  }
}

TEST(QuantizeInt8, AColumnHasTheBlocksOfItsRows) {
  constexpr int64_t kRows = 11, kStride = 3 * 32;
  const std::vector<float> x = RandomFloats(kRows * kStride, 18);
  for (Isa isa : LevelsHere()) {
    std::vector<Int8Block> rows(kRows * 3), column(kRows * 3);
    for (int64_t t = 0; t < kRows; ++t) {
      QuantizeInt8(isa, x.data() + t * kStride + 32, 32, &rows[static_cast<size_t>(3 * t + 1)]);
    }
    QuantizeInt8Column(isa, {x.data() + 32, kStride, kRows, &column[1], 3});
    for (size_t b = 0; b < rows.size(); ++b) {
      EXPECT_EQ(std::memcmp(&column[b], &rows[b], offsetof(Int8Block, unused)), 0)
          << LevelOf(isa).name << " block " << b;
    }
  }
}

TEST(QuantizeInt8, KeepsValuesWithinHalfAStep) {
  const std::vector<float> x = RandomFloats(32 * 50, 17);
  std::vector<Int8Block> blocks(50);
  QuantizeInt8(ActiveIsa(), x.data(), 32 * 50, blocks.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const Int8Block& block = blocks[i / 32];
    ASSERT_NEAR(block.scale * block.q[i % 32], x[i], 0.5001f * block.scale);
  }
}

}  // namespace
}  // namespace tenon::cpu
