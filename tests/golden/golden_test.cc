// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/golden.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "nlohmann/json.hpp"

namespace tenon::testing {
namespace {

constexpr const char* kSmol = "smollm2-135m-instruct-q4_1.json";
constexpr const char* kGemma = "gemma-3-270m-q4_k_m.json";

void ExpectGolden(const char* file, const char* config, std::vector<std::string> overrides,
                  bool together) {
  if (file == std::string(kGemma)) overrides.push_back("model=gemma-3-270m");
  const auto session = Open(config, std::move(overrides));
  ASSERT_NE(session, nullptr);
  const std::vector<GoldenCase> cases = ReadGolden(file);
  ASSERT_FALSE(cases.empty());
  ExpectFollows(cases, Continue(*session, cases, together), 0.01);
  EXPECT_TRUE(session->engine().Audit());
}

TEST(ExactPipeline, FollowsSmolLM2Alone) { ExpectGolden(kSmol, "exact.yaml", {}, false); }
TEST(ExactPipeline, FollowsSmolLM2InABatch) { ExpectGolden(kSmol, "exact.yaml", {}, true); }
TEST(ExactPipeline, FollowsGemmaAlone) { ExpectGolden(kGemma, "exact.yaml", {}, false); }
TEST(ExactPipeline, FollowsGemmaInABatch) { ExpectGolden(kGemma, "exact.yaml", {}, true); }

TEST(ExactPipeline, FollowsWithEveryAttention) {
  for (const char* attention : {"reference", "flash"}) {
    SCOPED_TRACE(attention);
    for (const char* model : {kSmol, kGemma}) {
      ExpectGolden(model, "exact.yaml",
                   {std::string("attention.use=") + attention, "memory.context_tokens=512"}, true);
    }
  }
}

TEST(ExactPipeline, FollowsWithUnpackedWeights) {
  ExpectGolden(kSmol, "exact.yaml", {"quant.use=dequant"}, true);
}

TEST(ExactPipeline, FollowsWithEveryScheduler) {
  for (const char* scheduler : {"static", "dynamic", "continuous"}) {
    SCOPED_TRACE(scheduler);
    ExpectGolden(kSmol, "exact.yaml", {std::string("scheduler.use=") + scheduler}, true);
  }
}

TEST(ExactPipeline, FollowsInAnyChunks) {
  for (const char* tokens : {"1", "7", "33"}) {
    SCOPED_TRACE(tokens);
    ExpectGolden(kSmol, "exact.yaml",
                 {std::string("scheduler.max_batch_tokens=") + tokens,
                  "scheduler.max_sequences=" + std::string(tokens)},
                 true);
  }
}

TEST(ExactPipeline, FollowsWhenBlocksRunOut) {
  const auto session = Open("exact.yaml", {"memory.context_tokens=128", "memory.kv_tokens=256"});
  ASSERT_NE(session, nullptr);
  const std::vector<GoldenCase> cases = ReadGolden(kSmol);
  ExpectFollows(cases, Continue(*session, cases, true), 0.01);
  EXPECT_GT(session->engine().Stats().preemptions, 0);
}

TEST(ExactPipeline, FollowsWithDrafts) {
  const std::vector<GoldenCase> cases = ReadGolden(kSmol);
  for (const bool together : {false, true}) {
    const auto session = Open("ngram.yaml", {"attention.kv_type=f32", "quant.activations=f32"});
    ASSERT_NE(session, nullptr);
    ExpectFollows(cases, Continue(*session, cases, together), 0.01);
    EXPECT_GT(session->engine().Stats().accepted_tokens, 0);
  }
}

// Drafts and company change nothing when sampling either.
TEST(ExactPipeline, SamplesTheSameFromASeedInAnyCompany) {
  const std::vector<GoldenCase> cases = ReadGolden(kSmol);
  std::vector<std::vector<std::vector<int32_t>>> runs;
  for (const char* config : {"exact.yaml", "ngram.yaml"}) {
    for (const bool together : {false, true}) {
      const auto session = Open(config, {"attention.kv_type=f32", "quant.activations=f32"});
      ASSERT_NE(session, nullptr);
      auto& run = runs.emplace_back(cases.size());
      for (size_t i = 0; i < cases.size(); ++i) {
        core::Request request;
        request.prompt = cases[i].ids;
        request.max_tokens = 24;
        request.sampling.temperature = 1.0F;
        request.sampling.seed = 100 + i;
        request.on_event = [&tokens = run[i]](const core::TokenEvent& event) {
          if (event.token >= 0) tokens.push_back(event.token);
        };
        ASSERT_TRUE(session->engine().Submit(std::move(request)).ok());
        if (!together) session->engine().RunUntilIdle();
      }
      session->engine().RunUntilIdle();
    }
  }
  for (size_t i = 1; i < runs.size(); ++i) EXPECT_EQ(runs[i], runs[0]) << i;
  EXPECT_EQ(runs[0][0].size(), 24U);
}

double Perplexity(const char* config) {
  const auto session = Open(config, {"scheduler.max_batch_tokens=128"});
  if (session == nullptr) return NAN;
  const std::vector<double> nll = WindowNll(*session, 16);
  return std::exp(std::accumulate(nll.begin(), nll.end(), 0.0) / static_cast<double>(nll.size()));
}

constexpr double kReferencePerplexity = 29.601977616216807;  // smollm2-135m-instruct-q4_1.ppl.json

TEST(ExactPipeline, HasTheReferencePerplexity) {
  EXPECT_NEAR(Perplexity("exact.yaml") / kReferencePerplexity, 1.0, 0.001);
}

TEST(DefaultPipeline, KeepsPerplexityWithinOnePercent) {
  EXPECT_NEAR(Perplexity("default.yaml") / kReferencePerplexity, 1.0, 0.01);
}

}  // namespace
}  // namespace tenon::testing
