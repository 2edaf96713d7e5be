// SPDX-License-Identifier: Apache-2.0
// The ops of experts: route, combine, clamped_glu.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int32_t kRows = 7;

// [kRows, columns], rows wider than that.
class Rows {
 public:
  explicit Rows(int32_t columns, uint32_t seed = 0, DType dtype = DType::kF32)
      : stride_(columns + 3), values_(size_t(kRows) * stride_, 1e9f) {
    buffer = {values_.data(), dtype, RowSet::kTokens, kRows, columns, int64_t{4} * stride_};
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 2);
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = 0; c < columns; ++c) at(r, c) = normal(random);
    }
  }
  float& at(int32_t row, int32_t column) { return values_[size_t(row) * stride_ + column]; }
  int32_t integer(int32_t row, int32_t column) {
    int32_t value;
    std::memcpy(&value, &at(row, column), 4);
    return value;
  }
  bool BesidesUntouched() {
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = buffer.columns; c < stride_; ++c) {
        if (at(r, c) != 1e9f) return false;
      }
    }
    return true;
  }

  Buffer buffer;

 private:
  int32_t stride_;
  std::vector<float> values_;
};

// Plans an op and runs it with three lanes, one after the other.
class Planner {
 public:
  template <typename P>
  std::unique_ptr<BaseOp> Plan(const char* kind, std::vector<Buffer> in, std::vector<Buffer> out,
                               std::vector<Weight> weights, const P& params, Isa isa) {
    OpSpec spec{};
    spec.kind = kind;
    spec.name = "here";
    spec.inputs = {in.data(), in.size()};
    spec.outputs = {out.data(), out.size()};
    spec.weights = {weights.data(), weights.size()};
    spec.params = &params;
    spec.params_bytes = sizeof(P);
    planned = {};
    return PlanBaseOp({isa, &memory_, &tables_}, spec, &planned);
  }
  template <typename P>
  void Run(const char* kind, std::vector<Buffer> in, std::vector<Buffer> out,
           std::vector<Weight> weights, const P& params, Isa isa) {
    const auto op = Plan(kind, std::move(in), std::move(out), std::move(weights), params, isa);
    EXPECT_EQ(planned.split, Split::kRows);
    Batch batch{};
    batch.tokens = kRows;
    int64_t next = 0;
    for (int32_t lane = 0; lane < 3; ++lane) {
      op->Run(batch, {lane, 3, nullptr, &next, nullptr, nullptr, nullptr});
    }
  }
  template <typename P>
  std::string Refusal(const char* kind, std::vector<Buffer> in, std::vector<Buffer> out,
                      std::vector<Weight> weights, const P& params,
                      Status want = Status::kInvalid) {
    try {
      (void)Plan(kind, std::move(in), std::move(out), std::move(weights), params, Isa::kGeneric);
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

Weight F32(const std::vector<float>& values) {
  const int64_t columns = static_cast<int64_t>(values.size());
  return {"bias", {DType::kF32, values.data(), 1, columns}, columns * 4};
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Choice {
  std::vector<int32_t> experts;
  std::vector<double> weights;
};

// A row's route in doubles, by sorting everything.
Choice InDouble(const RouteParams& p, const std::vector<float>& logits,
                const std::vector<float>& bias) {
  const size_t count = logits.size();
  std::vector<double> score(logits.begin(), logits.end()), key(count);
  double sum = 0;
  for (double x : score) sum += std::exp(x);
  for (double& x : score) {
    if (p.score == RouteScore::kSoftmax) x = std::exp(x) / sum;
    if (p.score == RouteScore::kSigmoid) x = Sigmoid(x);
  }
  for (size_t e = 0; e < count; ++e) key[e] = score[e] + (bias.empty() ? 0.0 : double{bias[e]});
  const size_t size = count / static_cast<size_t>(p.groups);
  std::vector<double> group_keys;
  for (size_t first = 0; first < count; first += size) {
    std::vector<double> in(key.begin() + static_cast<long>(first),
                           key.begin() + static_cast<long>(first + size));
    std::sort(in.rbegin(), in.rend());
    group_keys.push_back(p.group_score == GroupScore::kBest ? in[0] : in[0] + in[1]);
  }
  const auto descending = [](const std::vector<double>& keys) {
    std::vector<int32_t> order(keys.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return keys[static_cast<size_t>(a)] > keys[static_cast<size_t>(b)];
    });
    return order;
  };
  std::vector<int32_t> kept = descending(group_keys);
  kept.resize(static_cast<size_t>(p.kept_groups));
  Choice choice;
  for (const int32_t e : descending(key)) {
    const int32_t group = e / static_cast<int32_t>(size);
    if (p.groups > 1 && std::find(kept.begin(), kept.end(), group) == kept.end()) continue;
    choice.experts.push_back(e);
    if (choice.experts.size() == static_cast<size_t>(p.chosen)) break;
  }
  double chosen_sum = 0;
  for (const int32_t e : choice.experts) {
    const double s = score[static_cast<size_t>(e)];
    choice.weights.push_back(p.score == RouteScore::kSoftmaxChosen ? std::exp(s) : s);
    chosen_sum += choice.weights.back();
  }
  const bool divide = p.normalise != 0 || p.score == RouteScore::kSoftmaxChosen;
  for (double& w : choice.weights) w = w / (divide ? chosen_sum : 1) * p.scale;
  return choice;
}

TEST(Route, MatchesDoublesForEveryScoreGroupAndNormalisation) {
  const RouteParams cases[] = {
      {16, 4, 1, 1, RouteScore::kSoftmax, GroupScore::kBest, 0, 1.0f},
      {16, 4, 1, 1, RouteScore::kSoftmax, GroupScore::kBest, 1, 1.0f},
      {16, 16, 1, 1, RouteScore::kSoftmaxChosen, GroupScore::kBest, 0, 1.0f},
      {16, 3, 1, 1, RouteScore::kSoftmaxChosen, GroupScore::kBest, 1, 2.0f},
      {1, 1, 1, 1, RouteScore::kSigmoid, GroupScore::kBest, 0, 1.0f},
      {64, 6, 8, 3, RouteScore::kSoftmax, GroupScore::kBest, 0, 16.0f},
      {64, 8, 8, 4, RouteScore::kSigmoid, GroupScore::kBestTwo, 1, 2.5f},
      {64, 16, 8, 2, RouteScore::kSigmoid, GroupScore::kBestTwo, 1, 2.5f},
  };
  for (const Isa isa : Levels()) {
    for (const RouteParams& p : cases) {
      for (const bool has_bias : {false, true}) {
        Rows logits(p.experts, 5), experts(p.chosen, 1, DType::kI32), weights(p.chosen, 2);
        std::vector<float> bias;
        for (int32_t e = 0; has_bias && e < p.experts; ++e) {
          bias.push_back(0.01f * static_cast<float>(e * 7 % 11));
        }
        std::vector<Weight> stored;
        if (has_bias) stored.push_back(F32(bias));
        Planner planner;
        planner.Run(kRoute, {logits.buffer}, {experts.buffer, weights.buffer}, stored, p, isa);
        for (int32_t t = 0; t < kRows; ++t) {
          std::vector<float> row(&logits.at(t, 0), &logits.at(t, 0) + p.experts);
          const Choice want = InDouble(p, row, bias);
          for (int32_t j = 0; j < p.chosen; ++j) {
            const size_t at = static_cast<size_t>(j);
            ASSERT_EQ(experts.integer(t, j), want.experts[at]) << "row " << t << " slot " << j;
            ASSERT_NEAR(weights.at(t, j), want.weights[at], 1e-6 * want.weights[at]);
          }
        }
        EXPECT_TRUE(experts.BesidesUntouched() && weights.BesidesUntouched());
      }
    }
  }
}

std::vector<int32_t> Experts(Rows& experts, int32_t row) {
  std::vector<int32_t> out;
  for (int32_t j = 0; j < experts.buffer.columns; ++j) out.push_back(experts.integer(row, j));
  return out;
}

TEST(Route, GivesTiesToTheLowerExpertAndTheLowerGroup) {
  Rows logits(8), experts(3, 1, DType::kI32), weights(3);
  for (int32_t t = 0; t < kRows; ++t) {
    for (int32_t e = 0; e < 8; ++e) logits.at(t, e) = 1;
  }
  logits.at(1, 5) = logits.at(1, 6) = 2;
  RouteParams p{8, 3, 1, 1, RouteScore::kSigmoid, GroupScore::kBest, 1, 1.0f};
  Planner planner;
  const auto run = [&] {
    planner.Run(kRoute, {logits.buffer}, {experts.buffer, weights.buffer}, {}, p, Isa::kGeneric);
  };
  run();
  EXPECT_THAT(Experts(experts, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(Experts(experts, 1), ElementsAre(5, 6, 0));
  EXPECT_FLOAT_EQ(weights.at(0, 2), 1.0f / 3);
  p.groups = 4;
  p.kept_groups = 2;
  logits.at(1, 5) = 1;
  run();
  EXPECT_THAT(Experts(experts, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(Experts(experts, 1), ElementsAre(6, 0, 1));
}

// Whatever the logits are, every slot holds an expert of its own, and wrong numbers show as NaN.
TEST(Route, HostileLogitsStayInRange) {
  const float nan = std::nanf("");
  Rows logits(12);
  for (int32_t e = 0; e < 12; ++e) {
    logits.at(0, e) = nan;
    logits.at(1, e) = -kInfinity;
    logits.at(2, e) = kInfinity;
    logits.at(3, e) = e % 2 == 0 ? nan : -kInfinity;
    logits.at(4, e) = e == 7 ? 3.0f : -kInfinity;
    logits.at(5, e) = -1000.0f;
    logits.at(6, e) = e == 4 ? nan : static_cast<float>(e);
  }
  const auto expect = [&](const RouteParams& p) {
    Rows experts(p.chosen, 1, DType::kI32), weights(p.chosen);
    Planner().Run(kRoute, {logits.buffer}, {experts.buffer, weights.buffer}, {}, p, Isa::kGeneric);
    for (int32_t t = 0; t < kRows; ++t) {
      std::vector<int32_t> seen = Experts(experts, t);
      std::sort(seen.begin(), seen.end());
      EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end()) << "row " << t;
      EXPECT_TRUE(seen.front() >= 0 && seen.back() < 12) << "row " << t;
    }
    EXPECT_TRUE(std::isnan(weights.at(0, 0)));
    EXPECT_FALSE(std::isnan(weights.at(5, 0)));
    if (p.group_score == GroupScore::kBestTwo) return;
    EXPECT_EQ(experts.integer(4, 0), 7);
    EXPECT_NEAR(weights.at(4, 0), 1, 1e-6);
    EXPECT_EQ(weights.at(4, 1), 0);
    EXPECT_EQ(experts.integer(6, 0), p.score == RouteScore::kSoftmax ? 0 : 11);
  };
  for (const RouteScore score :
       {RouteScore::kSoftmax, RouteScore::kSigmoid, RouteScore::kSoftmaxChosen}) {
    for (const GroupScore group_score : {GroupScore::kBest, GroupScore::kBestTwo}) {
      for (const int32_t chosen : {2, 6}) {
        expect({12, chosen, 1, 1, score, group_score, 1, 1.0f});
        expect({12, chosen, 4, 2, score, group_score, 1, 1.0f});
      }
    }
  }
}

TEST(Combine, MatchesDoublesWithBaseAndSigmoidInPlaceAndNot) {
  constexpr int32_t kSlots = 5;
  for (const Isa isa : Levels()) {
    for (const int32_t columns : {1, 16, 77}) {
      for (const uint32_t has_base : {0u, 1u}) {
        for (const uint32_t sigmoid : {0u, 1u}) {
          Rows y(kSlots * columns, 1), w(kSlots, 2), base(columns, 3), separate(columns, 4);
          std::vector<double> want;
          for (int32_t t = 0; t < kRows; ++t) {
            for (int32_t c = 0; c < columns; ++c) {
              double sum = has_base != 0 ? base.at(t, c) : 0;
              for (int32_t j = 0; j < kSlots; ++j) {
                const double weight = sigmoid != 0 ? Sigmoid(w.at(t, j)) : double{w.at(t, j)};
                sum += weight * y.at(t, j * columns + c);
              }
              want.push_back(sum);
            }
          }
          const CombineParams params{kSlots, sigmoid, has_base};
          std::vector<Buffer> in = {y.buffer, w.buffer};
          if (has_base != 0) in.push_back(base.buffer);
          Rows& out = has_base != 0 ? base : separate;
          Planner().Run(kCombine, in, {out.buffer}, {}, params, isa);
          for (size_t i = 0; i < want.size(); ++i) {
            const int32_t t = static_cast<int32_t>(i) / columns;
            ASSERT_NEAR(out.at(t, static_cast<int32_t>(i) % columns), want[i], 2e-5);
          }
          EXPECT_TRUE(out.BesidesUntouched());
        }
      }
    }
  }
}

TEST(ClampedGlu, MatchesDoublesAndKeepsNan) {
  const ClampedGluParams params{1.702f, 3.0f};
  for (const Isa isa : Levels()) {
    Rows gate(77, 1), up(77, 2);
    gate.at(0, 0) = 100, gate.at(0, 1) = -200, gate.at(0, 2) = std::nanf("");
    up.at(1, 0) = 100, up.at(1, 1) = -200, up.at(1, 2) = std::nanf("");
    gate.at(2, 76) = 3.5f, up.at(2, 76) = -3.5f;
    std::vector<double> want;
    for (int32_t t = 0; t < kRows; ++t) {
      for (int32_t c = 0; c < 77; ++c) {
        const double g = gate.at(t, c) > 3 ? 3 : gate.at(t, c);
        const double u = up.at(t, c) > 3 ? 3 : up.at(t, c) < -3 ? -3 : up.at(t, c);
        want.push_back((u + 1) * g * Sigmoid(1.702f * g));
      }
    }
    Planner().Run(kClampedGlu, {gate.buffer, up.buffer}, {up.buffer}, {}, params, isa);
    for (size_t i = 0; i < want.size(); ++i) {
      const float got = up.at(static_cast<int32_t>(i) / 77, static_cast<int32_t>(i) % 77);
      if (std::isnan(want[i])) {
        EXPECT_TRUE(std::isnan(got));
      } else {
        ASSERT_NEAR(got, want[i], 1e-6 * std::abs(want[i]) + 1e-7) << i;
      }
    }
    EXPECT_TRUE(up.BesidesUntouched());
  }
}

TEST(MoePlanning, RefusesRoutesThatMakeNoSense) {
  Planner planner;
  Rows logits(12), experts(4, 0, DType::kI32), weights(4);
  const auto refusal = [&](RouteParams p, Status status = Status::kInvalid) {
    return planner.Refusal(kRoute, {logits.buffer}, {experts.buffer, weights.buffer}, {}, p,
                           status);
  };
  const RouteParams good{12, 4, 3, 2, RouteScore::kSoftmax, GroupScore::kBestTwo, 1, 1.0f};
  EXPECT_EQ(refusal(good), "");
  RouteParams p = good;
  p.chosen = 0;
  EXPECT_THAT(refusal(p), HasSubstr("0 of 12 experts"));
  p = good, p.experts = 2000;
  EXPECT_THAT(refusal(p), HasSubstr("at most 1024"));
  p = good, p.groups = 5;
  EXPECT_THAT(refusal(p), HasSubstr("2 of 5 groups"));
  p = good, p.kept_groups = 4;
  EXPECT_THAT(refusal(p), HasSubstr("4 of 3 groups"));
  p = good, p.groups = 6, p.kept_groups = 1;
  EXPECT_THAT(refusal(p), HasSubstr("the kept groups have 2"));
  p = good, p.groups = 12, p.kept_groups = 4;
  EXPECT_THAT(refusal(p), HasSubstr("groups of 1 expert"));
  p = good, p.score = static_cast<RouteScore>(3);
  EXPECT_THAT(refusal(p, Status::kUnsupported), HasSubstr("score is number 3"));
  p = good, p.scale = kInfinity;
  EXPECT_THAT(refusal(p), HasSubstr("scale is inf"));
  p = good, p.experts = 8, p.groups = 1, p.kept_groups = 1;
  EXPECT_THAT(refusal(p), HasSubstr("input 0 has 12 columns; 8 needed"));
  EXPECT_THAT(planner.Refusal(kRoute, {logits.buffer}, {weights.buffer, weights.buffer}, {}, good,
                              Status::kUnsupported),
              HasSubstr("output 0 is f32; device cpu computes on i32"));
  const std::vector<float> bias(11);
  EXPECT_THAT(
      planner.Refusal(kRoute, {logits.buffer}, {experts.buffer, weights.buffer}, {F32(bias)}, good),
      HasSubstr("[1, 12] needed"));
  const std::vector<float> twelve(12);
  Weight scaled = F32(twelve);
  scaled.scales = {DType::kF32, twelve.data(), 1, 12};
  EXPECT_THAT(planner.Refusal(kRoute, {logits.buffer}, {experts.buffer, weights.buffer}, {scaled},
                              good, Status::kUnsupported),
              HasSubstr("has scales"));
}

TEST(MoePlanning, RefusesCombinesAndGlusThatMakeNoSense) {
  Planner planner;
  Rows y(12), w(4), out(3), narrow(2);
  const auto combine = [&](const Rows& to, CombineParams p, std::vector<Buffer> in) {
    return planner.Refusal(kCombine, std::move(in), {to.buffer}, {}, p);
  };
  EXPECT_EQ(combine(out, {4, 0, 0}, {y.buffer, w.buffer}), "");
  EXPECT_THAT(combine(out, {0, 0, 0}, {y.buffer, w.buffer}), HasSubstr("slots is 0"));
  EXPECT_THAT(combine(narrow, {4, 0, 0}, {y.buffer, w.buffer}), HasSubstr("4 slots of 2"));
  EXPECT_THAT(combine(out, {4, 0, 1}, {y.buffer, w.buffer}), HasSubstr("3 needed"));
  EXPECT_NE(combine(out, {4, 0, 1}, {y.buffer, w.buffer, narrow.buffer}), "");
  const auto glu = [&](ClampedGluParams p) {
    return planner.Refusal(kClampedGlu, {y.buffer, y.buffer}, {y.buffer}, {}, p);
  };
  EXPECT_EQ(glu({1.7f, 7.0f}), "");
  EXPECT_THAT(glu({1.7f, 0.0f}), HasSubstr("the limit above 0"));
  EXPECT_NE(glu({kInfinity, 7.0f}), "");
}

}  // namespace
}  // namespace tenon::cpu
