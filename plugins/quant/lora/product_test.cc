// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/cpu/random_weights.h"

namespace tenon::quant {
namespace {

struct Problem {
  Problem(int64_t row_count, int64_t inner_count, int64_t column_count)
      : rows(row_count),
        inner(inner_count),
        columns(column_count),
        x(cpu::RandomFloats(rows * inner, 1)),
        w(cpu::RandomFloats(inner * columns, 2)),
        out(cpu::RandomFloats(rows * columns, 3)),
        packed(LoraPackedFloats(inner, columns) * 4) {
    for (int64_t i = 0; i < inner; ++i) {
      for (int64_t n = 0; n < columns; ++n) {
        packed.As<float>()[LoraPackedIndex(inner, i, n)] = w[static_cast<size_t>(i * columns + n)];
      }
    }
  }

  void Run(cpu::Isa isa, int64_t first, int64_t count, bool add) {
    std::vector<const float*> from;
    std::vector<float*> to;
    for (int64_t t = first; t < first + count; ++t) {
      from.push_back(x.data() + t * inner);
      to.push_back(out.data() + t * columns);
    }
    LoraProductOf(isa)({from.data(), to.data(), count, packed.As<float>(), inner, columns, add});
  }

  int64_t rows, inner, columns;
  std::vector<float> x, w, out;
  cpu::AlignedBytes packed;
};

void ExpectFormula(cpu::Isa isa, int64_t rows, int64_t inner, int64_t columns, bool add) {
  Problem p(rows, inner, columns);
  const std::vector<float> before = p.out;
  p.Run(isa, 0, rows, add);
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t n = 0; n < columns; ++n) {
      const auto at = static_cast<size_t>(t * columns + n);
      double sum = add ? before[at] : 0.0, size = std::abs(sum);
      for (int64_t i = 0; i < inner; ++i) {
        const double term = double{p.x[static_cast<size_t>(t * inner + i)]} *
                            p.w[static_cast<size_t>(i * columns + n)];
        sum += term;
        size += std::abs(term);
      }
      ASSERT_NEAR(p.out[at], sum, 1e-6 * size + 1e-7)
          << cpu::LevelOf(isa).name << " " << rows << " " << inner << " " << columns;
    }
  }
}

template <typename Check>
void AtEveryLevel(Check check) {
  for (uint32_t i = 0; i < cpu::kIsaCount; ++i) {
    if (cpu::IsaLevels()[i].available) check(cpu::IsaLevels()[i].isa);
  }
}

TEST(LoraProduct, MatchesTheFormulaAtEveryLevelAndShape) {
  AtEveryLevel([](cpu::Isa isa) {
    for (const int64_t rows : {1, 2, 3, 6, 7, 20}) {
      for (const auto& [inner, columns] :
           {std::pair{1, 1}, {4, 40}, {3, 17}, {16, 96}, {577, 12}, {256, 31}}) {
        ExpectFormula(isa, rows, inner, columns, rows % 2 == 0);
      }
    }
  });
}

TEST(LoraProduct, BitsOfARowDoNotDependOnTheRowsBesideIt) {
  AtEveryLevel([](cpu::Isa isa) {
    Problem together(13, 579, 33), apart(13, 579, 33);
    together.Run(isa, 0, 13, true);
    for (int64_t t = 0; t < 13; ++t) apart.Run(isa, t, 1, true);
    EXPECT_EQ(std::memcmp(together.out.data(), apart.out.data(), together.out.size() * 4), 0);
  });
}

TEST(LoraProduct, WritesNoColumnBeyondTheLast) {
  AtEveryLevel([](cpu::Isa isa) {
    Problem p(2, 8, 5);
    const float beyond = p.out[5];
    p.Run(isa, 0, 1, false);
    EXPECT_EQ(p.out[5], beyond);
  });
}

}  // namespace
}  // namespace tenon::quant
