// SPDX-License-Identifier: Apache-2.0
// The ops of encoders: activate, layer_norm, embed_positions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

using ::testing::HasSubstr;

constexpr int32_t kRows = 7;

// [kRows, columns] between columns that no op may touch.
class Rows {
 public:
  explicit Rows(int32_t columns, uint32_t seed = 0, int32_t before = 3)
      : stride_(columns + before + 2), before_(before), values_(size_t(kRows) * stride_, 1e9f) {
    buffer = {values_.data() + before, DType::kF32, RowSet::kTokens, kRows, columns,
              int64_t{4} * stride_};
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.5f, 2);
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = 0; c < columns; ++c) at(r, c) = normal(random);
    }
  }
  float& at(int32_t row, int32_t column) {
    return values_[size_t(row) * stride_ + before_ + column];
  }
  bool BesidesUntouched() {
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = -before_; c < stride_ - before_; ++c) {
        if ((c < 0 || c >= buffer.columns) && at(r, c) != 1e9f) return false;
      }
    }
    return true;
  }
  std::vector<float> Values() {
    std::vector<float> out;
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = 0; c < buffer.columns; ++c) out.push_back(at(r, c));
    }
    return out;
  }

  Buffer buffer;

 private:
  int32_t stride_, before_;
  std::vector<float> values_;
};

struct Spec {
  const char* kind;
  std::vector<Buffer> inputs, outputs;
  std::vector<Weight> weights;
  const void* params;
  uint64_t params_bytes;
};

template <typename P>
Spec SpecOf(const char* kind, std::vector<Buffer> in, std::vector<Buffer> out,
            std::vector<Weight> weights, const P& params) {
  return {kind, std::move(in), std::move(out), std::move(weights), &params, sizeof(P)};
}

Weight F32(const std::vector<float>& values, int64_t rows = 1) {
  const int64_t columns = static_cast<int64_t>(values.size()) / rows;
  return {"w", {DType::kF32, values.data(), rows, columns}, columns * 4};
}

const std::vector<int32_t> kPositions = {0, 1, 2, 3, 1, 9, -1};

// Plans ops and runs them with three lanes, one after the other.
class Planner {
 public:
  std::unique_ptr<BaseOp> Plan(const Spec& s, Isa isa) {
    OpSpec spec{};
    spec.kind = s.kind;
    spec.name = "here";
    spec.inputs = {s.inputs.data(), s.inputs.size()};
    spec.outputs = {s.outputs.data(), s.outputs.size()};
    spec.weights = {s.weights.data(), s.weights.size()};
    spec.params = s.params;
    spec.params_bytes = s.params_bytes;
    planned = {};
    return PlanBaseOp({isa, &memory_, &tables_}, spec, &planned);
  }
  void Run(const Spec& s, Isa isa) {
    const std::unique_ptr<BaseOp> op = Plan(s, isa);
    Batch batch{};
    batch.tokens = kRows;
    batch.positions = kPositions.data();
    int64_t next = 0;
    for (int32_t lane = 0; lane < 3; ++lane) {
      op->Run(batch, {lane, 3, nullptr, &next, nullptr, nullptr, nullptr});
    }
  }
  std::string Refusal(const Spec& s, Status want = Status::kInvalid) {
    try {
      (void)Plan(s, Isa::kGeneric);
    } catch (const PlanError& error) {
      EXPECT_EQ(error.status, want) << error.what();
      return error.what();
    }
    return "";
  }

  PlannedOp planned;

 private:
  HostMemory memory_{uint64_t{1} << 30};
  RopeTables tables_;
};

std::vector<Isa> Levels() {
  std::vector<Isa> levels;
  for (uint32_t i = 0; i < kIsaCount; ++i) {
    if (IsaLevels()[i].available) levels.push_back(static_cast<Isa>(i));
  }
  return levels;
}

double Expected(Activation activation, double x) {
  if (activation == Activation::kSilu) return x / (1 + std::exp(-x));
  if (activation == Activation::kGelu) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(Activate, MatchesDoubleInPlaceAndNot) {
  for (const Isa isa : Levels()) {
    for (const Activation activation :
         {Activation::kSilu, Activation::kGeluTanh, Activation::kGelu}) {
      const ActivateParams params{activation};
      Rows x(37, 1), separate(37, 2), in_place(37, 1);
      Planner planner;
      planner.Run(SpecOf(kActivate, {x.buffer}, {separate.buffer}, {}, params), isa);
      EXPECT_EQ(planner.planned.split, Split::kRows);
      planner.Run(SpecOf(kActivate, {in_place.buffer}, {in_place.buffer}, {}, params), isa);
      for (int32_t r = 0; r < kRows; ++r) {
        for (int32_t c = 0; c < 37; ++c) {
          EXPECT_NEAR(separate.at(r, c), Expected(activation, x.at(r, c)), 1e-6);
        }
      }
      EXPECT_EQ(in_place.Values(), separate.Values());
      EXPECT_TRUE(separate.BesidesUntouched() && in_place.BesidesUntouched());
    }
  }
}

TEST(Activate, RefusesAnUnknownActivation) {
  const ActivateParams params{static_cast<Activation>(9)};
  Rows x(8);
  EXPECT_THAT(Planner().Refusal(SpecOf(kActivate, {x.buffer}, {x.buffer}, {}, params),
                                Status::kUnsupported),
              HasSubstr("activation is number 9; silu (0), gelu_tanh (1) and gelu (2)"));
}

class LayerNormOp : public ::testing::Test {
 protected:
  static constexpr int32_t kColumns = 53;

  LayerNormOp() : weight_(kColumns), bias_(kColumns) {
    for (int32_t c = 0; c < kColumns; ++c) {
      weight_[size_t(c)] = 0.5f + 0.1f * static_cast<float>(c);
      bias_[size_t(c)] = 1 - 0.05f * static_cast<float>(c);
    }
  }

  double Want(Rows& x, Rows* y, int32_t row, int32_t column) {
    std::vector<double> z;
    for (int32_t c = 0; c < kColumns; ++c) {
      z.push_back(double{x.at(row, c)} + (y != nullptr ? double{y->at(row, c)} : 0.0));
    }
    double mean = 0, variance = 0;
    for (const double v : z) mean += v / kColumns;
    for (const double v : z) variance += (v - mean) * (v - mean) / kColumns;
    const auto c = static_cast<size_t>(column);
    return (z[c] - mean) / std::sqrt(variance + 1e-5) * weight_[c] + bias_[c];
  }

  std::vector<float> weight_, bias_;
  const LayerNormParams params_{1e-5f};
};

TEST_F(LayerNormOp, MatchesDoubleWithOneInputAndWithTwo) {
  for (const Isa isa : Levels()) {
    Rows x(kColumns, 1), y(kColumns, 2, 0), one(kColumns, 3), two(kColumns, 4), over_y(kColumns, 2);
    Planner planner;
    planner.Run(SpecOf(kLayerNorm, {x.buffer}, {one.buffer}, {F32(weight_), F32(bias_)}, params_),
                isa);
    EXPECT_EQ(planner.planned.split, Split::kRows);
    EXPECT_EQ(planner.planned.weight_bytes, 2u * 4 * kColumns);
    planner.Run(
        SpecOf(kLayerNorm, {x.buffer, y.buffer}, {two.buffer}, {F32(weight_), F32(bias_)}, params_),
        isa);
    planner.Run(SpecOf(kLayerNorm, {x.buffer, over_y.buffer}, {over_y.buffer},
                       {F32(weight_), F32(bias_)}, params_),
                isa);
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = 0; c < kColumns; ++c) {
        EXPECT_NEAR(one.at(r, c), Want(x, nullptr, r, c), 2e-5);
        EXPECT_NEAR(two.at(r, c), Want(x, &y, r, c), 2e-5);
      }
    }
    EXPECT_EQ(over_y.Values(), two.Values());
    EXPECT_TRUE(one.BesidesUntouched() && two.BesidesUntouched() && over_y.BesidesUntouched());
  }
}

TEST_F(LayerNormOp, RefusesWhatDoesNotFit) {
  Planner planner;
  Rows x(kColumns), narrow(kColumns - 1);
  const std::vector<Weight> weights = {F32(weight_), F32(bias_)};
  EXPECT_THAT(planner.Refusal(SpecOf(kLayerNorm, {x.buffer}, {x.buffer}, {F32(weight_)}, params_)),
              HasSubstr("1 weight given, 2 needed"));
  EXPECT_THAT(planner.Refusal(
                  SpecOf(kLayerNorm, {x.buffer, x.buffer, x.buffer}, {x.buffer}, weights, params_)),
              HasSubstr("3 inputs given, 1 needed"));
  EXPECT_THAT(
      planner.Refusal(SpecOf(kLayerNorm, {x.buffer, narrow.buffer}, {x.buffer}, weights, params_)),
      HasSubstr("input 1 has 52 columns; output 0 has 53"));
  const std::vector<float> shorter(kColumns - 1);
  EXPECT_THAT(planner.Refusal(SpecOf(kLayerNorm, {x.buffer}, {x.buffer},
                                     {F32(weight_), F32(shorter)}, params_)),
              HasSubstr("is [1, 52]; [1, 53] needed"));
  const std::vector<uint16_t> halves(kColumns);
  const Weight half{"h", {DType::kF16, halves.data(), 1, kColumns}, 2 * kColumns};
  EXPECT_THAT(
      planner.Refusal(SpecOf(kLayerNorm, {x.buffer}, {x.buffer}, {half, F32(bias_)}, params_),
                      Status::kUnsupported),
      HasSubstr("\"h\" is f16; f32 needed"));
  for (const float epsilon : {-1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const LayerNormParams bad{epsilon};
    EXPECT_THAT(planner.Refusal(SpecOf(kLayerNorm, {x.buffer}, {x.buffer}, weights, bad)),
                HasSubstr("epsilon is "));
  }
}

TEST(EmbedPositions, AddsTheRowOfEachPosition) {
  const EmbedPositionsParams params{};
  std::vector<float> table(4 * 40);
  for (size_t i = 0; i < table.size(); ++i) table[i] = 0.25f * static_cast<float>(i) - 7;
  for (const Isa isa : Levels()) {
    Rows x(40, 1), out(40, 2), in_place(40, 1);
    Planner planner;
    planner.Run(SpecOf(kEmbedPositions, {x.buffer}, {out.buffer}, {F32(table, 4)}, params), isa);
    EXPECT_EQ(planner.planned.split, Split::kRows);
    EXPECT_EQ(planner.planned.weight_bytes, 0u);  // read where it is
    planner.Run(
        SpecOf(kEmbedPositions, {in_place.buffer}, {in_place.buffer}, {F32(table, 4)}, params),
        isa);
    for (int32_t r = 0; r < kRows; ++r) {
      const int32_t position = kPositions[size_t(r)];
      for (int32_t c = 0; c < 40; ++c) {
        const bool inside = position >= 0 && position < 4;
        const float added = inside ? table[size_t(position * 40 + c)] : 0.0f;
        EXPECT_EQ(out.at(r, c), x.at(r, c) + added) << "row " << r;
      }
    }
    EXPECT_EQ(in_place.Values(), out.Values());
    EXPECT_TRUE(out.BesidesUntouched() && in_place.BesidesUntouched());
  }
}

TEST(EmbedPositions, ReadsStoredTypesAndSlices) {
  struct BlockQ8 {
    uint16_t d;
    int8_t q[32];
  };
  const EmbedPositionsParams params{};
  std::vector<BlockQ8> table(4 * 3);  // rows of 3 blocks, of which the first is used
  for (size_t b = 0; b < table.size(); ++b) {
    table[b].d = 0x3800;  // 0.5
    for (int i = 0; i < 32; ++i) table[b].q[i] = static_cast<int8_t>(3 * static_cast<int>(b) - i);
  }
  const Weight weight{"t", {DType::kQ8_0, table.data(), 4, 32}, 3 * 34};
  for (const Isa isa : Levels()) {
    Rows x(32, 1), out(32, 2);
    Planner planner;
    planner.Run(SpecOf(kEmbedPositions, {x.buffer}, {out.buffer}, {weight}, params), isa);
    EXPECT_EQ(planner.planned.weight_bytes, 4u * 32 * 4);
    for (int32_t c = 0; c < 32; ++c) {
      EXPECT_EQ(out.at(3, c), x.at(3, c) + 0.5f * table[9].q[c]);
    }
  }
}

TEST(EmbedPositions, RefusesWhatDoesNotFit) {
  const EmbedPositionsParams params{};
  const std::vector<float> table(4 * 40);
  Rows x(40), other(39);
  Buffer logit_rows = x.buffer;
  logit_rows.rows = RowSet::kLogitRows;
  Planner planner;
  EXPECT_THAT(planner.Refusal(
                  SpecOf(kEmbedPositions, {other.buffer}, {other.buffer}, {F32(table, 4)}, params)),
              HasSubstr("is [4, 40]; [4, 39] needed"));
  EXPECT_THAT(
      planner.Refusal(SpecOf(kEmbedPositions, {logit_rows}, {logit_rows}, {F32(table, 4)}, params)),
      HasSubstr("tokens needed"));
  EXPECT_THAT(planner.Refusal(SpecOf(kEmbedPositions, {x.buffer}, {x.buffer}, {}, params)),
              HasSubstr("0 weights given, 1 needed"));
}

}  // namespace
}  // namespace tenon::cpu
