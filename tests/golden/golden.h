// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/assemble/session.h"

// Outputs of independent implementations (tests/data/golden), and what Tenon gives for the same
// input.
namespace tenon::testing {

struct GoldenStep {
  std::vector<int32_t> ids;  // the likeliest, in order
  std::vector<double> logprobs;
};

struct GoldenCase {
  std::string prompt;
  std::vector<int32_t> ids;
  std::vector<int32_t> greedy;
  std::vector<GoldenStep> top;
  std::vector<double> gap;  // between first and second choice at each greedy step
};

// The cases of a file in tests/data/golden, or of a tiny model's reference.json by absolute path.
std::vector<GoldenCase> ReadGolden(const std::string& file);

struct Output {
  std::vector<int32_t> tokens;
  std::vector<core::TokenLogprob> first_top;
};

std::unique_ptr<apps::Session> Open(const std::string& config, std::vector<std::string> overrides);

// Greedy continuations of all cases: together in one batch, or one after the other.
std::vector<Output> Continue(apps::Session& session, const std::vector<GoldenCase>& cases,
                             bool together);

// EXPECTs each output to follow its reference up to the first step whose gap is below 0.01, and the
// first step's log-probabilities to be within `tolerance`.
void ExpectFollows(const std::vector<GoldenCase>& cases, const std::vector<Output>& outputs,
                   double tolerance);

// Mean negative log-likelihoods of `windows` windows of 512 tokens of wikitext2-head.txt.
std::vector<double> WindowNll(apps::Session& session, size_t windows);

}  // namespace tenon::testing
