// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/sampler/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_sampler();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;

// A sampler with its scratch.
class Bench {
 public:
  explicit Bench(const std::map<std::string, std::string>& options = {})
      : made_(tenon_plugin_v1_decoding_sampler(), "sampler", options) {}

  int32_t Sample(std::vector<float> logits, const SamplingParams& params, size_t position) {
    const std::vector<int32_t> tokens(3 + position, 1);
    const DecodePoint point = {{tokens.data(), tokens.size()}, 3, &params};
    return made_.Get<Sampler>()->Sample(point, {logits.data(), logits.size()},
                                        Scratch(logits.size()));
  }

  std::vector<float> Distribution(std::vector<float> logits, const SamplingParams& params) {
    const DecodePoint point = {{}, 0, &params};
    made_.Get<Sampler>()->Distribution(point, {logits.data(), logits.size()},
                                       Scratch(logits.size()));
    return logits;
  }

 private:
  void* Scratch(size_t vocabulary) {
    memory_.resize(made_.Get<Sampler>()->ScratchBytes(static_cast<int32_t>(vocabulary)) + 64);
    return memory_.data() + 64 - reinterpret_cast<uintptr_t>(memory_.data()) % 64;
  }

  MadeComponent made_;
  std::vector<char> memory_;
};

std::vector<float> RandomLogits(size_t vocabulary, float spread) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(vocabulary);
  for (float& x : logits) x = normal(random);
  return logits;
}

// Chi-square over the tokens that are expected at least 5 times; the others are one class.
double ChiSquarePerDegree(Bench& bench, const std::vector<float>& logits,
                          const SamplingParams& params, bool vary_seed) {
  constexpr int kDraws = 8000;
  const std::vector<float> p = bench.Distribution(logits, params);
  std::vector<int> seen(logits.size(), 0);
  SamplingParams one = params;
  for (int i = 0; i < kDraws; ++i) {
    one.seed = vary_seed ? static_cast<uint64_t>(i) : 42;
    ++seen[bench.Sample(logits, one, vary_seed ? 0 : i)];
  }
  double sum = 0, rare = 0;
  int rare_seen = 0, classes = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = double{p[i]} * kDraws;
    if (expected < 5) {
      rare += expected;
      rare_seen += seen[i];
      continue;
    }
    sum += (seen[i] - expected) * (seen[i] - expected) / expected;
    ++classes;
  }
  if (rare >= 5) {
    sum += (rare_seen - rare) * (rare_seen - rare) / rare;
    ++classes;
  } else if (rare == 0 && rare_seen > 0) {
    return std::numeric_limits<double>::infinity();
  }
  return sum / std::max(classes - 1, 1);
}

TEST(FilterSampler, DrawsFromItsDistribution) {
  Bench bench;
  const std::vector<float> logits = RandomLogits(300, 1.5f);
  SamplingParams params;
  params.temperature = 1;
  params.top_p = 1;
  EXPECT_LT(ChiSquarePerDegree(bench, logits, params, false), 1.4);
  EXPECT_LT(ChiSquarePerDegree(bench, logits, params, true), 1.4);
  params.top_k = 20;
  params.top_p = 0.9f;
  params.min_p = 0.02f;
  EXPECT_LT(ChiSquarePerDegree(bench, logits, params, false), 2.3);
  EXPECT_LT(ChiSquarePerDegree(bench, logits, params, true), 2.3);
}

TEST(FilterSampler, DependsOnSeedAndPositionAlone) {
  Bench bench, other;
  const std::vector<float> logits = RandomLogits(2000, 1);
  SamplingParams params;
  params.temperature = 1;
  int seed_changes = 0, position_changes = 0;
  for (size_t position = 0; position < 50; ++position) {
    params.seed = 9;
    const int32_t token = bench.Sample(logits, params, position);
    other.Sample(RandomLogits(77, 3), params, position + 5);
    EXPECT_EQ(other.Sample(logits, params, position), token);
    position_changes += bench.Sample(logits, params, position + 100) != token;
    params.seed = 10;
    seed_changes += bench.Sample(logits, params, position) != token;
  }
  EXPECT_GT(seed_changes, 40);
  EXPECT_GT(position_changes, 40);
}

TEST(FilterSampler, UsesItsOptionsWhereTheRequestSaysNothing) {
  Bench neutral(std::map<std::string, std::string>{{"temperature", "1"}, {"top_p", "1"}}),
      narrow(std::map<std::string, std::string>{{"top_k", "1"}});
  const std::vector<float> logits = {0, 1, 0.9f};
  SamplingParams unset;
  EXPECT_NEAR(neutral.Distribution(logits, unset)[0], 1 / (1 + std::exp(1.0) + std::exp(0.9)),
              1e-6);
  EXPECT_EQ(narrow.Distribution(logits, unset)[1], 1);
  SamplingParams asked;
  asked.temperature = 1;
  asked.top_k = 0;
  asked.top_p = 1;
  asked.min_p = 0;
  EXPECT_EQ(narrow.Distribution(logits, asked), neutral.Distribution(logits, unset));
}

TEST(FilterSampler, StandsHostileParameters) {
  Bench bench;
  const float bad[] = {-1, 0, 1e38f, -1e38f, INFINITY, -INFINITY, NAN, 1e-45f};
  for (const std::vector<float>& logits : {std::vector<float>{1, 2, NAN},
                                           {NAN, NAN},
                                           {-INFINITY, -INFINITY, -INFINITY},
                                           {INFINITY, 0},
                                           RandomLogits(1000, 5),
                                           std::vector<float>(500, 0.0f)}) {
    for (const float value : bad) {
      for (const int32_t k : {INT32_MIN, -1, 0, 1, 999, INT32_MAX}) {
        SamplingParams params;
        params.temperature = value;
        params.top_p = value;
        params.min_p = value;
        params.top_k = k;
        params.seed = ~uint64_t{0};
        const int32_t token = bench.Sample(logits, params, 0);
        EXPECT_GE(token, 0);
        EXPECT_LT(token, static_cast<int32_t>(logits.size()));
        double sum = 0;
        for (const float p : bench.Distribution(logits, params)) sum += p;
        EXPECT_NEAR(sum, 1, 1e-4);
      }
    }
  }
}

}  // namespace
}  // namespace tenon::decoding
