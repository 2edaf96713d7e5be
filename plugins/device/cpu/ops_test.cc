// SPDX-License-Identifier: Apache-2.0
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

// A matrix whose rows are wider than the slice that an op is given.
class Matrix {
 public:
  Matrix(int32_t rows, int32_t columns, RowSet set = RowSet::kTokens, int32_t before = 5)
      : stride_(columns + before + 3), before_(before), values_(size_t(rows) * stride_, 1e9f) {
    buffer = {values_.data() + before, DType::kF32, set, rows, columns, int64_t{4} * stride_};
  }
  Matrix(const Matrix&) = delete;
  float& at(int32_t row, int32_t column) {
    return values_[size_t(row) * stride_ + before_ + column];
  }
  void Fill(uint32_t seed, float spread = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, spread);
    for (int32_t r = 0; r < buffer.max_rows; ++r) {
      for (int32_t c = 0; c < buffer.columns; ++c) at(r, c) = normal(random);
    }
  }
  // The columns beside the slice are as they were.
  bool BesidesUntouched() {
    for (int32_t r = 0; r < buffer.max_rows; ++r) {
      for (int32_t c = -before_; c < stride_ - before_; ++c) {
        if ((c < 0 || c >= buffer.columns) && at(r, c) != 1e9f) return false;
      }
    }
    return true;
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
Spec MakeSpec(const char* kind, std::vector<Buffer> in, std::vector<Buffer> out,
              std::vector<Weight> weights, const P& params) {
  return {kind, std::move(in), std::move(out), std::move(weights), &params, sizeof(P)};
}

Weight F32Weight(const std::vector<float>& values, int64_t rows = 1) {
  const int64_t columns = static_cast<int64_t>(values.size()) / rows;
  return {"w", {DType::kF32, values.data(), rows, columns}, columns * 4};
}

class Bench {
 public:
  std::unique_ptr<BaseOp> Plan(const Spec& s, Isa isa = Isa::kGeneric) {
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
  // The text with which planning refuses; empty where it does not.
  std::string Refusal(const Spec& s, Status want = Status::kInvalid) {
    try {
      (void)Plan(s);
    } catch (const PlanError& error) {
      EXPECT_EQ(error.status, want) << error.what();
      return error.what();
    }
    return "";
  }
  // Plans and runs with `lanes` lanes, one after the other.
  void Run(const Spec& s, Isa isa, const Batch& batch, int32_t lanes) {
    const std::unique_ptr<BaseOp> op = Plan(s, isa);
    int64_t next = 0;
    for (int32_t i = 0; i < lanes; ++i) {
      op->Run(batch, {i, lanes, nullptr, &next, nullptr, nullptr});
    }
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

Batch BatchOf(const std::vector<int32_t>& ids, const std::vector<int32_t>& positions,
              const std::vector<int32_t>& logit_rows) {
  Batch batch{};
  batch.tokens = static_cast<int32_t>(positions.size());
  batch.logit_rows = static_cast<int32_t>(logit_rows.size());
  batch.token_ids = ids.data();
  batch.positions = positions.data();
  batch.logit_row_tokens = logit_rows.data();
  return batch;
}

const std::vector<int32_t> kIds = {3, 0, 6, 3, -1, 7, 2};
const std::vector<int32_t> kPositions = {0, 1, 2, 1000000, 4, 77, 0};
const std::vector<int32_t> kLogitRows = {2, 6};
const Batch kBatch = BatchOf(kIds, kPositions, kLogitRows);

TEST(Embed, ScalesRowsOfTheTableAndGivesZerosOutsideIt) {
  std::vector<float> table(7 * 64);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i) * 0.25f - 9;
  const EmbedParams params{2.0f};
  for (const Isa isa : Levels()) {
    for (const int32_t lanes : {1, 3}) {
      Matrix out(7, 64);
      Bench().Run(MakeSpec(kEmbed, {}, {out.buffer}, {F32Weight(table, 7)}, params), isa, kBatch,
                  lanes);
      for (int32_t t = 0; t < 7; ++t) {
        for (int32_t c = 0; c < 64; ++c) {
          const bool inside = kIds[t] >= 0 && kIds[t] < 7;
          EXPECT_EQ(out.at(t, c), inside ? 2 * table[kIds[t] * 64 + c] : 0.0f);
        }
      }
      EXPECT_TRUE(out.BesidesUntouched());
    }
  }
}

TEST(Embed, ReadsBlockTypes) {
  struct BlockQ8 {
    uint16_t d;
    int8_t q[32];
  };
  static_assert(sizeof(BlockQ8) == 34);
  std::vector<BlockQ8> table(7 * 2);
  for (size_t b = 0; b < table.size(); ++b) {
    table[b].d = 0x3800;  // 0.5
    for (int i = 0; i < 32; ++i) table[b].q[i] = static_cast<int8_t>(5 * static_cast<int>(b) - i);
  }
  const EmbedParams params{1.0f};
  for (const Isa isa : Levels()) {
    Matrix out(7, 64);
    const Weight weight{"t", {DType::kQ8_0, table.data(), 7, 64}, 68};
    Bench().Run(MakeSpec(kEmbed, {}, {out.buffer}, {weight}, params), isa, kBatch, 2);
    for (int32_t c = 0; c < 64; ++c) {
      EXPECT_EQ(out.at(2, c), 0.5f * table[6 * 2 + c / 32].q[c % 32]);
      EXPECT_EQ(out.at(6, c), 0.5f * table[2 * 2 + c / 32].q[c % 32]);
    }
  }
}

TEST(RmsNorm, MatchesDoubleByGroupsInPlaceAndNot) {
  std::vector<float> weight(30);
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = 0.1f * static_cast<float>(i) - 1;
  const RmsNormParams params{1e-5f, 1.0f, 30};
  for (const Isa isa : Levels()) {
    for (const bool in_place : {false, true}) {
      Matrix x(7, 90), separate(7, 90, RowSet::kTokens, 0);
      x.Fill(1, 2);
      Matrix& out = in_place ? x : separate;
      std::vector<double> want;
      for (int32_t t = 0; t < 7; ++t) {
        for (int32_t c = 0; c < 90; ++c) {
          double sum = 0;
          for (int32_t k = c / 30 * 30; k < c / 30 * 30 + 30; ++k) {
            sum += double{x.at(t, k)} * x.at(t, k);
          }
          want.push_back(x.at(t, c) / std::sqrt(sum / 30 + 1e-5) * (weight[c % 30] + 1.0f));
        }
      }
      Bench bench;
      bench.Run(MakeSpec(kRmsNorm, {x.buffer}, {out.buffer}, {F32Weight(weight)}, params), isa,
                kBatch, 2);
      EXPECT_EQ(bench.planned.split, Split::kRows);
      EXPECT_EQ(bench.planned.weight_bytes, 120u);
      for (int32_t i = 0; i < 7 * 90; ++i) {
        EXPECT_NEAR(out.at(i / 90, i % 90), want[i], 1e-6 * std::abs(want[i]));
      }
      EXPECT_TRUE(x.BesidesUntouched());
      EXPECT_TRUE(separate.BesidesUntouched());
    }
  }
}

void ExpectRotated(Matrix& got, Matrix& before, const RopeParams& p,
                   const std::vector<float>& frequency, const std::vector<int32_t>& positions) {
  for (int32_t r = 0; r < static_cast<int32_t>(positions.size()); ++r) {
    for (int32_t h = 0; h < p.heads; ++h) {
      for (int32_t i = 0; i < p.rotary_dim / 2; ++i) {
        const bool halves = p.pairs == RopePairs::kHalves;
        const int32_t ia = h * p.head_dim + (halves ? i : 2 * i);
        const int32_t ib = h * p.head_dim + (halves ? i + p.rotary_dim / 2 : 2 * i + 1);
        const double angle = double{frequency[i]} * positions[r];
        const double a = before.at(r, ia), b = before.at(r, ib), m = p.magnitude;
        EXPECT_NEAR(got.at(r, ia), m * (a * std::cos(angle) - b * std::sin(angle)), 1e-6);
        EXPECT_NEAR(got.at(r, ib), m * (b * std::cos(angle) + a * std::sin(angle)), 1e-6);
      }
      for (int32_t i = p.rotary_dim; i < p.head_dim; ++i) {
        EXPECT_EQ(got.at(r, h * p.head_dim + i), before.at(r, h * p.head_dim + i));
      }
    }
  }
}

TEST(Rope, RotatesByEachTokensPosition) {
  std::vector<float> frequency;
  for (int i = 0; i < 10; ++i) frequency.push_back(std::pow(10000.0f, -0.1f * i));
  for (const Isa isa : Levels()) {
    for (const RopePairs pairs : {RopePairs::kHalves, RopePairs::kNeighbours}) {
      const RopeParams params{3, 24, 20, pairs, 1.1f};
      Matrix x(7, 72), before(7, 72);
      x.Fill(4), before.Fill(4);
      Bench().Run(MakeSpec(kRope, {x.buffer}, {x.buffer}, {F32Weight(frequency)}, params), isa,
                  kBatch, 3);
      ExpectRotated(x, before, params, frequency, kPositions);
      EXPECT_TRUE(x.BesidesUntouched());
    }
  }
}

TEST(Rope, SharesAnglesAmongLayersAndFollowsNewPositions) {
  const std::vector<float> frequency = {1.0f, 0.1f, 0.01f, 0.001f};
  const RopeParams params{1, 8, 8, RopePairs::kHalves, 1.0f};
  Bench bench;
  Matrix q(7, 8), k(7, 8), logits(7, 8, RowSet::kLogitRows), before(7, 8);
  before.Fill(9);
  const auto first =
      bench.Plan(MakeSpec(kRope, {q.buffer}, {q.buffer}, {F32Weight(frequency)}, params));
  EXPECT_GT(bench.planned.scratch_bytes, 0u);
  const auto second =
      bench.Plan(MakeSpec(kRope, {k.buffer}, {k.buffer}, {F32Weight(frequency)}, params));
  EXPECT_EQ(bench.planned.scratch_bytes, 0u);
  const auto third =
      bench.Plan(MakeSpec(kRope, {logits.buffer}, {logits.buffer}, {F32Weight(frequency)}, params));
  EXPECT_GT(bench.planned.scratch_bytes, 0u) << "other rows, so other lanes";
  const std::vector<int32_t> later = {1, 2, 3, 1000001, 4, 78, 1};
  int64_t next = 0;
  for (const std::vector<int32_t>& positions : {kPositions, later, kPositions}) {
    const Batch batch = BatchOf(kIds, positions, kLogitRows);
    q.Fill(9), k.Fill(9), logits.Fill(9);
    for (BaseOp* op : {first.get(), second.get(), third.get()}) {
      op->Run(batch, {0, 1, nullptr, &next, nullptr, nullptr});
    }
    ExpectRotated(q, before, params, frequency, positions);
    ExpectRotated(k, before, params, frequency, positions);
    ExpectRotated(logits, before, params, frequency, {positions[2], positions[6]});
  }
}

TEST(Glu, AppliesEachActivation) {
  const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
  const auto gelu = [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); };
  const auto gelu_tanh = [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
  };
  for (const Isa isa : Levels()) {
    for (const Activation a : {Activation::kSilu, Activation::kGeluTanh, Activation::kGelu}) {
      const GluParams params{a};
      Matrix gate(7, 77), up(7, 77), out(7, 77);
      gate.Fill(1, 3), up.Fill(2);
      Bench().Run(MakeSpec(kGlu, {gate.buffer, up.buffer}, {out.buffer}, {}, params), isa, kBatch,
                  2);
      for (int32_t i = 0; i < 7 * 77; ++i) {
        const double x = gate.at(i / 77, i % 77);
        const double f = a == Activation::kSilu   ? silu(x)
                         : a == Activation::kGelu ? gelu(x)
                                                  : gelu_tanh(x);
        EXPECT_NEAR(out.at(i / 77, i % 77), f * up.at(i / 77, i % 77), 1e-6 * std::abs(f) + 1e-8);
      }
      EXPECT_TRUE(out.BesidesUntouched());
    }
  }
}

TEST(Add, AddsRowsAlsoInPlaceAndOnLogitRows) {
  const AddParams params{0};
  for (const Isa isa : Levels()) {
    Matrix a(7, 33), b(7, 33), la(2, 20, RowSet::kLogitRows), lb(2, 20, RowSet::kLogitRows);
    Matrix was(7, 33);
    a.Fill(1), was.Fill(1), b.Fill(2), la.Fill(3), lb.Fill(4);
    Bench().Run(MakeSpec(kAdd, {a.buffer, b.buffer}, {a.buffer}, {}, params), isa, kBatch, 4);
    for (int32_t i = 0; i < 7 * 33; ++i) {
      EXPECT_EQ(a.at(i / 33, i % 33), was.at(i / 33, i % 33) + b.at(i / 33, i % 33));
    }
    Matrix out(2, 20, RowSet::kLogitRows);
    Bench().Run(MakeSpec(kAdd, {la.buffer, lb.buffer}, {out.buffer}, {}, params), isa, kBatch, 3);
    for (int32_t i = 0; i < 40; ++i) {
      EXPECT_EQ(out.at(i / 20, i % 20), la.at(i / 20, i % 20) + lb.at(i / 20, i % 20));
    }
  }
}

TEST(SoftCap, CapsNarrowAndWideRows) {
  const SoftCapParams params{5.0f};
  for (const Isa isa : Levels()) {
    for (const int32_t columns : {19, 16384, 20001}) {
      Matrix x(2, columns, RowSet::kLogitRows), out(2, columns, RowSet::kLogitRows);
      x.Fill(6, 8);
      Bench bench;
      bench.Run(MakeSpec(kSoftCap, {x.buffer}, {out.buffer}, {}, params), isa, kBatch, 2);
      EXPECT_EQ(bench.planned.split, columns < 16384 ? Split::kRows : Split::kAny);
      for (int32_t r = 0; r < 2; ++r) {
        for (int32_t c = 0; c < columns; ++c) {
          const double want = 5 * std::tanh(x.at(r, c) / 5.0);
          ASSERT_NEAR(out.at(r, c), want, 5e-7 * std::abs(want)) << r << " " << c;
        }
      }
      EXPECT_TRUE(out.BesidesUntouched());
    }
  }
}

TEST(GatherRows, CopiesTheRowsWhoseLogitsAreAskedFor) {
  const GatherRowsParams params{0};
  Matrix x(7, 12), out(2, 12, RowSet::kLogitRows);
  x.Fill(3);
  Bench bench;
  bench.Run(MakeSpec(kGatherRows, {x.buffer}, {out.buffer}, {}, params), Isa::kGeneric, kBatch, 3);
  EXPECT_EQ(bench.planned.split, Split::kAny);
  for (int32_t c = 0; c < 12; ++c) {
    EXPECT_EQ(out.at(0, c), x.at(2, c));
    EXPECT_EQ(out.at(1, c), x.at(6, c));
  }
  EXPECT_TRUE(out.BesidesUntouched());
}

TEST(Planning, RefusesUnknownKindsAndOperandsThatDoNotFit) {
  Bench bench;
  Matrix a(7, 32), b(7, 31), l(7, 32, RowSet::kLogitRows);
  const AddParams add{0};
  EXPECT_THAT(bench.Refusal(MakeSpec("linear", {}, {}, {}, add), Status::kUnsupported),
              HasSubstr("it makes embed, rms_norm, rope"));
  EXPECT_THAT(bench.Refusal(MakeSpec(kAdd, {a.buffer}, {a.buffer}, {}, add)),
              HasSubstr("add \"here\": 1 input given, 2 needed"));
  EXPECT_THAT(bench.Refusal(MakeSpec(kAdd, {a.buffer, a.buffer}, {}, {}, add)),
              HasSubstr("0 outputs given, 1 needed"));
  EXPECT_THAT(bench.Refusal(MakeSpec(kAdd, {a.buffer, b.buffer}, {a.buffer}, {}, add)),
              HasSubstr("input 1 has 31 columns; output 0 has 32"));
  EXPECT_THAT(bench.Refusal(MakeSpec(kAdd, {a.buffer, l.buffer}, {a.buffer}, {}, add)),
              HasSubstr("input 1 has logit rows as rows; output 0 has tokens"));
  EXPECT_THAT(bench.Refusal(MakeSpec(kGatherRows, {a.buffer}, {a.buffer}, {}, add)),
              HasSubstr("input 0 must have tokens as rows"));
  Spec short_params = MakeSpec(kAdd, {a.buffer, a.buffer}, {a.buffer}, {}, add);
  short_params.params_bytes = 3;
  EXPECT_THAT(bench.Refusal(short_params), HasSubstr("has 3 bytes of params"));
  short_params.params = nullptr;
  short_params.params_bytes = 4;
  EXPECT_NE(bench.Refusal(short_params), "");
}

TEST(Planning, RefusesBuffersThatCannotBe) {
  Bench bench;
  const AddParams add{0};
  Matrix a(7, 32);
  const auto refusal = [&](const Buffer& bad, Status status) {
    return bench.Refusal(MakeSpec(kAdd, {a.buffer, bad}, {a.buffer}, {}, add), status);
  };
  Buffer bad = a.buffer;
  bad.dtype = DType::kBF16;
  EXPECT_THAT(refusal(bad, Status::kUnsupported),
              HasSubstr("input 1 is bf16; device cpu computes"));
  bad.dtype = static_cast<DType>(99);
  EXPECT_NE(refusal(bad, Status::kInvalid), "");
  bad = a.buffer, bad.rows = static_cast<RowSet>(7);
  EXPECT_NE(refusal(bad, Status::kInvalid), "");
  bad = a.buffer, bad.data = nullptr;
  EXPECT_THAT(refusal(bad, Status::kInvalid), HasSubstr("has no memory"));
  bad = a.buffer, bad.data = static_cast<char*>(bad.data) + 2;
  EXPECT_NE(refusal(bad, Status::kInvalid), "");
  bad = a.buffer, bad.columns = 0;
  EXPECT_THAT(refusal(bad, Status::kInvalid), HasSubstr("is [7, 0]"));
  bad = a.buffer, bad.row_bytes = 124;
  EXPECT_THAT(refusal(bad, Status::kInvalid),
              HasSubstr("has 124 bytes from row to row; at least 128"));
}

TEST(Planning, RefusesParamsThatMakeNoSense) {
  Bench bench;
  Matrix x(7, 32), other(7, 32);
  const std::vector<float> weight(32, 1.0f), eight(8, 0.5f), wild = {1, 2, 3, 1e9f};
  const auto norm = [&](RmsNormParams p) {
    return bench.Refusal(MakeSpec(kRmsNorm, {x.buffer}, {x.buffer}, {F32Weight(weight)}, p));
  };
  EXPECT_EQ(norm({1e-6f, 0, 32}), "");
  EXPECT_THAT(norm({1e-6f, 0, 0}), HasSubstr("group is 0; a divisor of its 32 columns"));
  EXPECT_THAT(norm({1e-6f, 0, 5}), HasSubstr("group is 5"));
  EXPECT_THAT(norm({1e-6f, 0, 16}), HasSubstr("weight \"w\" is [1, 32]; [1, 16] needed"));
  EXPECT_NE(norm({-1.0f, 0, 32}), "");
  EXPECT_NE(norm({std::nanf(""), 0, 32}), "");
  const auto rope = [&](RopeParams p, const std::vector<float>& f, Status status) {
    return bench.Refusal(MakeSpec(kRope, {x.buffer}, {x.buffer}, {F32Weight(f)}, p), status);
  };
  const RopePairs halves = RopePairs::kHalves;
  EXPECT_EQ(rope({2, 16, 16, halves, 1}, eight, Status::kOk), "");
  EXPECT_THAT(rope({3, 16, 16, halves, 1}, eight, Status::kInvalid), HasSubstr("3 heads of 16"));
  EXPECT_THAT(rope({2, 16, 15, halves, 1}, eight, Status::kInvalid), HasSubstr("rotary_dim is 15"));
  EXPECT_THAT(rope({2, 16, 18, halves, 1}, eight, Status::kInvalid), HasSubstr("rotary_dim is 18"));
  EXPECT_THAT(rope({2, 16, 8, halves, 1}, eight, Status::kInvalid), HasSubstr("[1, 4] needed"));
  EXPECT_THAT(rope({2, 16, 8, halves, 1}, wild, Status::kInvalid), HasSubstr("-1024 to 1024"));
  EXPECT_NE(rope({2, 16, 16, halves, INFINITY}, eight, Status::kInvalid), "");
  EXPECT_NE(rope({2, 16, 16, static_cast<RopePairs>(2), 1}, eight, Status::kUnsupported), "");
  const RopeParams good{2, 16, 16, halves, 1};
  EXPECT_THAT(bench.Refusal(MakeSpec(kRope, {x.buffer}, {other.buffer}, {F32Weight(eight)}, good)),
              HasSubstr("output 0 must be input 0"));
  const GluParams glu{static_cast<Activation>(3)};
  EXPECT_THAT(bench.Refusal(MakeSpec(kGlu, {x.buffer, x.buffer}, {x.buffer}, {}, glu),
                            Status::kUnsupported),
              HasSubstr("activation is number 3"));
  const SoftCapParams cap{0.0f};
  EXPECT_THAT(bench.Refusal(MakeSpec(kSoftCap, {x.buffer}, {x.buffer}, {}, cap)),
              HasSubstr("a number above 0 needed"));
}

TEST(Planning, RefusesWeightsThatCannotBeRead) {
  Bench bench;
  Matrix out(7, 32), odd(7, 40);
  std::vector<float> table(4 * 40);
  const EmbedParams params{1.0f};
  Weight weight{"table", {DType::kI8, table.data(), 4, 32}, 32};
  const auto refusal = [&](const Matrix& to, Status status) {
    return bench.Refusal(MakeSpec(kEmbed, {}, {to.buffer}, {weight}, params), status);
  };
  EXPECT_THAT(refusal(out, Status::kUnsupported), HasSubstr("cannot read"));
  weight.tensor.dtype = static_cast<DType>(77);
  EXPECT_NE(refusal(out, Status::kUnsupported), "");
  weight = {"table", {DType::kQ8_0, table.data(), 4, 40}, 68};
  EXPECT_THAT(refusal(odd, Status::kInvalid),
              HasSubstr("a multiple of 32 needed, the block of q8_0"));
  weight = {"table", {DType::kF32, table.data(), 4, 32}, 127};
  EXPECT_THAT(refusal(out, Status::kInvalid), HasSubstr("127 bytes from row to row"));
  weight = {"table", {DType::kF32, nullptr, 4, 32}, 128};
  EXPECT_NE(refusal(out, Status::kInvalid), "");
  weight = {"table", {DType::kF32, table.data(), 0, 32}, 128};
  EXPECT_THAT(refusal(out, Status::kInvalid), HasSubstr("no rows"));
}

}  // namespace
}  // namespace tenon::cpu
