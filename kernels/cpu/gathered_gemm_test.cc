// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/cpu/exact_gemm.h"
#include "kernels/cpu/int8_gemm.h"
#include "kernels/cpu/random_weights.h"

// Products whose input rows lie anywhere and whose results go anywhere, and weights with scales.
namespace tenon::cpu {
namespace {

std::vector<Isa> LevelsHere() {
  std::vector<Isa> levels;
  for (uint32_t i = 0; i < kIsaCount; ++i) {
    if (IsaLevels()[i].available) levels.push_back(IsaLevels()[i].isa);
  }
  return levels;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

constexpr int64_t kRows = 35, kK = 96, kTokens = 23;

// Token t of the product is row 7 t mod 23 of the input, and goes to row 5 t mod 23 of the output.
struct Scattered {
  std::vector<int64_t> x, out;
  explicit Scattered(int64_t x_stride) {
    for (int64_t t = 0; t < kTokens; ++t) {
      x.push_back(7 * t % kTokens * x_stride);
      out.push_back(5 * t % kTokens * kRows);
    }
  }
};

// What the scattered product must give, from the plain one over rows in their order.
std::vector<float> Rearranged(const std::vector<float>& plain) {
  std::vector<float> out(plain.size());
  for (int64_t t = 0; t < kTokens; ++t) {
    std::memcpy(&out[static_cast<size_t>(5 * t % kTokens * kRows)],
                &plain[static_cast<size_t>(7 * t % kTokens * kRows)], kRows * 4);
  }
  return out;
}

ExactGemm MakeExact(DType type, const std::vector<uint8_t>& w, const std::vector<float>& x,
                    AlignedBytes& scratch, std::vector<float>& out) {
  out.assign(kTokens * kRows, 0.0f);
  ExactGemm gemm{};
  gemm.x = x.data();
  gemm.x_stride = kK;
  gemm.tokens = kTokens;
  gemm.type = type;
  gemm.w = w.data();
  gemm.row_bytes = static_cast<int64_t>(BytesOf(type, kK));
  gemm.rows = kRows;
  gemm.k = kK;
  gemm.epilogue = {out.data(), kRows, nullptr, nullptr, 0};
  gemm.scratch = scratch.As<float>();
  return gemm;
}

TEST(ExactGemm, GathersItsInputAndScattersItsOutput) {
  const std::vector<float> x = RandomFloats(kTokens * kK, 1);
  AlignedBytes scratch(ExactScratchFloats(kK) * 4);
  const Scattered rows(kK);
  for (const DType type : {DType::kF32, DType::kQ4_1}) {
    const std::vector<uint8_t> w = RandomStored(type, kRows * kK, 2);
    for (const Isa isa : LevelsHere()) {
      std::vector<float> plain, out;
      RunExactGemm(isa, MakeExact(type, w, x, scratch, plain));
      ExactGemm gemm = MakeExact(type, w, x, scratch, out);
      gemm.x_offsets = rows.x.data();
      gemm.epilogue.out_offsets = rows.out.data();
      RunExactGemm(isa, gemm);
      EXPECT_TRUE(SameBits(out, Rearranged(plain))) << LevelOf(isa).name;
    }
  }
}

TEST(Int8Gemm, GathersItsInputAndScattersItsOutput) {
  const std::vector<float> x = RandomFloats(kTokens * kK, 1);
  const Scattered rows(Int8Blocks(kK));
  std::vector<Int8Block> blocks(static_cast<size_t>(kTokens * Int8Blocks(kK)));
  QuantizeInt8(Isa::kGeneric, x.data(), kTokens * kK, blocks.data());
  for (const DType type : {DType::kQ4_1, DType::kQ8_0}) {
    const std::vector<uint8_t> w = RandomStored(type, kRows * kK, 3);
    const int64_t row_bytes = static_cast<int64_t>(BytesOf(type, kK));
    AlignedBytes panels(3 * Int8PanelBytes(type, kK));
    for (int64_t row = 0; row < kRows; row += kInt8PanelRows) {
      PackInt8Panel(type, w.data() + row * row_bytes, row_bytes,
                    kRows - row < kInt8PanelRows ? kRows - row : kInt8PanelRows, kK,
                    panels.As<uint8_t>() + row / kInt8PanelRows * Int8PanelBytes(type, kK));
    }
    for (const Isa isa : LevelsHere()) {
      std::vector<float> plain(kTokens * kRows), out(kTokens * kRows);
      Int8Gemm gemm{type,
                    panels.As<uint8_t>(),
                    kRows,
                    kK,
                    blocks.data(),
                    kTokens,
                    {plain.data(), kRows, nullptr, nullptr, 0}};
      RunInt8Gemm(isa, gemm);
      gemm.x_offsets = rows.x.data();
      gemm.epilogue.out = out.data();
      gemm.epilogue.out_offsets = rows.out.data();
      RunInt8Gemm(isa, gemm);
      EXPECT_TRUE(SameBits(out, Rearranged(plain))) << LevelOf(isa).name;
    }
  }
}

// Scales a row, a tensor, and blocks that divide neither the rows nor the columns.
TEST(ExactGemm, MultipliesStoredValuesWithTheirScales) {
  const std::vector<float> x = RandomFloats(kTokens * kK, 1), factors = RandomFloats(50 * 4, 9);
  AlignedBytes scratch(ExactScratchFloats(kK) * 4);
  struct Grid {
    int64_t rows, columns;
  };
  for (const DType type : {DType::kF32, DType::kF8E4M3}) {
    const std::vector<uint8_t> w = RandomStored(type, kRows * kK, 4);
    for (const Grid grid : {Grid{1, kK}, Grid{1000, 1000}, Grid{10, 28}}) {
      const int64_t stride = (kK + grid.columns - 1) / grid.columns;
      for (const int64_t first_row : {0, 7}) {
        std::vector<float> dense(kRows * kK);
        Dequantize(Isa::kGeneric, type, w.data(), kRows * kK, dense.data());
        for (int64_t i = 0; i < kRows * kK; ++i) {
          const int64_t at = (first_row + i / kK) / grid.rows * stride + i % kK / grid.columns;
          dense[static_cast<size_t>(i)] *= factors[static_cast<size_t>(at)];
        }
        std::vector<uint8_t> bytes(dense.size() * 4);
        std::memcpy(bytes.data(), dense.data(), bytes.size());
        for (const Isa isa : LevelsHere()) {
          std::vector<float> want, out;
          RunExactGemm(isa, MakeExact(DType::kF32, bytes, x, scratch, want));
          ExactGemm gemm = MakeExact(type, w, x, scratch, out);
          gemm.scales = {factors.data(), stride, grid.rows, grid.columns, first_row};
          RunExactGemm(isa, gemm);
          EXPECT_TRUE(SameBits(out, want)) << LevelOf(isa).name << " " << grid.rows;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tenon::cpu
