// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/sampler/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "plugins/decoding/sampler/philox.h"

namespace tenon::decoding {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The same by sorting everything, in double.
std::vector<double> Plain(const std::vector<float>& logits, const Filter& filter) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  while (!order.empty() && logits[order.back()] == -kInf) order.pop_back();
  if (filter.top_k > 0 && order.size() > size_t(filter.top_k)) order.resize(filter.top_k);
  const auto weight = [&](size_t i) {
    return std::exp((double{logits[i]} - logits[order[0]]) / filter.temperature);
  };
  double sum = 0, above = 0;
  for (size_t i : order) sum += weight(i);
  size_t kept = 0;
  while (kept < order.size() && (kept == 0 || filter.top_p >= 1 || above < filter.top_p * sum)) {
    above += weight(order[kept++]);
  }
  order.resize(kept);
  while (filter.min_p > 0 && order.size() > 1 && weight(order.back()) < filter.min_p) {
    order.pop_back();
  }
  std::vector<double> p(logits.size(), 0);
  double total = 0;
  for (size_t i : order) total += weight(i);
  for (size_t i : order) p[i] = weight(i) / total;
  return p;
}

struct Scratch {
  explicit Scratch(size_t vocabulary) : bytes(Selection::ScratchBytes(vocabulary) + 64) {}
  void* data() { return bytes.data() + 64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64; }
  std::vector<char> bytes;
};

std::vector<float> Probabilities(const std::vector<float>& logits, const Filter& filter) {
  Scratch scratch(logits.size());
  std::vector<float> p(logits.size());
  Selection({logits.data(), logits.size()}, filter, scratch.data())
      .Probabilities({p.data(), p.size()});
  return p;
}

int32_t Pick(const std::vector<float>& logits, const Filter& filter, double u) {
  Scratch scratch(logits.size());
  return Selection({logits.data(), logits.size()}, filter, scratch.data()).Pick(u);
}

TEST(Selection, EqualsAPlainSortOnRandomLogitsAndFilters) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const size_t vocabulary = 1 + random() % (round % 10 == 0 ? 20000 : 700);
    std::normal_distribution<float> normal(0, 0.1f + random() % 50 * 0.1f);
    std::vector<float> logits(vocabulary);
    for (float& x : logits) x = random() % 20 == 0 ? -kInf : normal(random);
    logits[random() % vocabulary] = 3;
    const Filter filter = {
        0.1 + random() % 20 * 0.1,
        random() % 2 == 0 ? 0 : int64_t(1 + random() % (round % 20 == 0 ? 60 : vocabulary + 5)),
        random() % 2 == 0 ? 1.0 : random() % 100 * 0.01,
        random() % 2 == 0 ? 0.0 : random() % 100 * 0.01};
    const std::vector<double> expected = Plain(logits, filter);
    const std::vector<float> got = Probabilities(logits, filter);
    // A token on the edge of top-p may fall on either side; its weight bounds what that changes.
    double distance = 0;
    for (size_t i = 0; i < vocabulary; ++i) distance += std::abs(got[i] - expected[i]);
    EXPECT_LT(distance, 1e-5) << "round " << round << ", vocabulary " << vocabulary << ", T "
                              << filter.temperature << ", k " << filter.top_k << ", p "
                              << filter.top_p << ", min-p " << filter.min_p;
  }
}

TEST(Selection, TakesExactlyKOfEqualLogitsLowestTokensFirst) {
  const std::vector<float> logits(1000, 1.5f);
  const std::vector<float> p = Probabilities(logits, {1.0, 7, 1.0, 0});
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_FLOAT_EQ(p[i], i < 7 ? 1.0f / 7 : 0) << i;
}

TEST(Selection, TopPOfEqualLogitsTakesJustEnough) {
  const std::vector<float> logits(1000, -2.0f);
  const std::vector<float> p = Probabilities(logits, {0.7, 0, 0.2505, 0});
  EXPECT_EQ(std::count_if(p.begin(), p.end(), [](float x) { return x > 0; }), 251);
  EXPECT_GT(p[250], 0);
}

TEST(Selection, KeepsAtLeastOneToken) {
  const std::vector<float> logits = {1, 3, 2};
  for (const Filter& filter :
       {Filter{1, 0, 0, 0}, Filter{1, 0, -3, 0}, Filter{1, 0, 1, 50}, Filter{1, 1, 0, 1}}) {
    EXPECT_EQ(Probabilities(logits, filter), (std::vector<float>{0, 1, 0}));
    EXPECT_EQ(Pick(logits, filter, 0.999), 1);
  }
}

TEST(Selection, IsTheLowestArgMaxAtTemperatureZero) {
  const std::vector<float> logits = {1, 5, kNan, 5, -kInf};
  for (const double temperature : {0.0, -1.0, 1e-9, std::nan("")}) {
    EXPECT_EQ(Pick(logits, {temperature, 0, 1, 0}, 0.99), 1);
    EXPECT_EQ(Probabilities(logits, {temperature, 0, 1, 0})[1], 1);
  }
}

TEST(Selection, NeverDrawsNanOrMinusInfinity) {
  const std::vector<float> logits = {kNan, 0, -kInf, 0, kNan};
  for (const Filter& filter : {Filter{1, 0, 1, 0}, Filter{1, 3, 0.99, 0}, Filter{5, 0, 0.5, 0.1}}) {
    const std::vector<float> p = Probabilities(logits, filter);
    EXPECT_EQ(p[0] + p[2] + p[4], 0);
    EXPECT_NEAR(p[1] + p[3], 1, 1e-6);
    for (const double u : {0.0, 0.4, 0.6, 0.9999999999}) {
      EXPECT_EQ(Pick(logits, filter, u) % 2, 1) << u;
    }
  }
}

TEST(Selection, IsDefinedWhereNothingOrInfinityIsOffered) {
  EXPECT_EQ(Pick({-kInf, -kInf}, {1, 0, 1, 0}, 0.9), 0);
  EXPECT_EQ(Pick({kNan, kNan}, {1, 1, 0.5, 0}, 0.9), 0);
  EXPECT_EQ(Pick({0, kInf, kInf}, {1, 0, 1, 0}, 0.9), 1);
  EXPECT_EQ(Pick({}, {1, 5, 0.5, 0.5}, 0.9), 0);
  EXPECT_EQ(Probabilities({-kInf, -kInf}, {1, 0, 1, 0}), (std::vector<float>{1, 0}));
}

TEST(Selection, StandsExtremeNumbers) {
  const std::vector<float> logits = {3.4e38f, -3.4e38f, 0, 1e-45f};
  EXPECT_EQ(Pick(logits, {1e30, 1 << 30, 1e30, 1e-300}, 0.1), 0);
  EXPECT_EQ(Pick(logits, {1e-5, INT64_MAX, 0.5, 0.1}, 0.5), 0);
  const std::vector<float> even = Probabilities({1, 2, 3, -kInf}, {1e300, 0, 1, 0});
  EXPECT_NEAR(even[0], 1.0 / 3, 1e-5);
  EXPECT_EQ(even[3], 0);
}

TEST(Selection, PicksInProportion) {
  const std::vector<float> logits = {0, std::log(2.0f), -kInf, std::log(5.0f)};
  EXPECT_EQ(Pick(logits, {1, 0, 1, 0}, 0.0), 0);
  EXPECT_EQ(Pick(logits, {1, 0, 1, 0}, 0.124), 0);
  EXPECT_EQ(Pick(logits, {1, 0, 1, 0}, 0.126), 1);
  EXPECT_EQ(Pick(logits, {1, 0, 1, 0}, 0.374), 1);
  EXPECT_EQ(Pick(logits, {1, 0, 1, 0}, 0.376), 3);
  EXPECT_EQ(Pick(logits, {1, 0, 1, 0}, 1 - 0x1p-53), 3);
}

TEST(Exp4, IsCloseToExpAndZeroFarBelow) {
  double worst = 0;
  for (float d = 0; d > -80; d -= 0.0137f) {
    worst = std::max(worst, std::abs(Exp4(Fill4(d))[2] / std::exp(double{d}) - 1));
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(Exp4(Fill4(0))[0], 1.0f);
  const Float4 edge = Exp4(Float4{-88, -kInf, kNan, -86.9f});
  EXPECT_EQ(edge[0], 0);
  EXPECT_EQ(edge[1], 0);
  EXPECT_EQ(edge[2], 0);
  EXPECT_GT(edge[3], 0);
}

TEST(Philox, GivesTheKnownAnswers) {
  const Philox zero = Philox::At(0, 0);
  EXPECT_EQ(zero.words[0], 0x6627e8d5u);
  EXPECT_EQ(zero.words[1], 0xe169c58du);
  EXPECT_EQ(zero.words[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.words[3], 0x9b00dbd8u);
  const Philox ones = Philox::At(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0});
  EXPECT_EQ(ones.words[0], 0x408f276du);
  EXPECT_EQ(ones.words[3], 0x6d5451fdu);
}

}  // namespace
}  // namespace tenon::decoding
