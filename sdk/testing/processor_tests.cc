// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tenon/testing/decoding_tests.h"
#include "tenon/testing/stopwatch.h"

namespace tenon::testing {
namespace {

const char* const kNoRole = "offers no tenon.decoding.processor/1";

SamplingParams Asked(uint64_t seed, std::vector<TokenBias>* biases) {
  SamplingParams params;
  params.repetition_penalty = seed % 2 == 0 ? NAN : 1.3f;
  params.presence_penalty = seed % 3 == 0 ? NAN : 0.5f;
  params.frequency_penalty = seed % 5 == 0 ? NAN : -0.5f;
  params.temperature = seed % 7 == 0 ? 0.0f : NAN;
  *biases = {{static_cast<int32_t>(seed % 50), 2.0f}, {7, -3.0f}};
  if (seed % 2 == 0) params.logit_bias = {biases->data(), biases->size()};
  return params;
}

Verdict Sensible(const Subject& subject) {
  Role<LogitProcessor> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const std::vector<int32_t> tokens = RandomTokens(40, 50, seed);
    std::vector<TokenBias> biases;
    const SamplingParams params = Asked(seed, &biases);
    const DecodePoint point = PointOf(tokens, static_cast<int32_t>(seed % 41), params);
    std::vector<float> logits = RandomLogits(50, seed), again = logits;
    made.role->Apply(point, {logits.data(), logits.size()});
    made.role->Apply(point, {again.data(), again.size()});
    if (logits != again)
      return Failed(Text("the same point gave other logits (seed %llu)",
                         static_cast<unsigned long long>(seed)));
    bool finite = false;
    for (const float x : logits) {
      if (std::isnan(x) || x == INFINITY)
        return Failed(Text("a finite logit became %g", static_cast<double>(x)));
      finite = finite || std::isfinite(x);
    }
    if (!finite) return Failed("no token is left: all logits became minus infinity");
  }
  return Passed();
}

// What a request may hold, however odd, is survived: a process that ends fails the test.
Verdict Hostile(const Subject& subject) {
  Role<LogitProcessor> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const TokenBias biases[] = {{-1, 1.0f}, {INT32_MAX, 1.0f}, {3, NAN}, {4, -INFINITY}};
  for (const float odd : {NAN, INFINITY, -INFINITY, 0.0f, -5.0f, 1e38f}) {
    SamplingParams params;
    params.temperature = params.top_p = params.min_p = odd;
    params.repetition_penalty = params.presence_penalty = params.frequency_penalty = odd;
    params.logit_bias = {biases, 4};
    const std::vector<int32_t> tokens = {-1, 0, INT32_MAX, 5, INT32_MIN, 49, 50};
    for (const size_t vocabulary : {size_t{1}, size_t{50}}) {
      std::vector<float> logits = RandomLogits(vocabulary, 1);
      logits[0] = -INFINITY;
      for (const int32_t prompt : {0, 7}) {
        made.role->Apply(PointOf(tokens, prompt, params), {logits.data(), logits.size()});
      }
      made.role->Apply({{nullptr, 0}, 0, &params}, {logits.data(), logits.size()});
    }
  }
  return Passed();
}

Verdict Time(const Subject& subject) {
  Role<LogitProcessor> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const std::vector<int32_t> tokens = RandomTokens(1000, 49152, 1);
  std::vector<TokenBias> biases;
  const SamplingParams params = Asked(1, &biases);
  const std::vector<float> logits = RandomLogits(49152, 1);
  std::vector<float> changed;
  const double seconds = FastestSeconds([&] {
    changed = logits;
    made.role->Apply(PointOf(tokens, 500, params), {changed.data(), changed.size()});
  });
  return Passed(Text("49152 logits after 1000 tokens: %.0f us", seconds * 1e6));
}

}  // namespace

void AddProcessorTests(std::vector<Test>* tests) {
  tests->insert(tests->end(), {{"decoding.processor.sensible", Sensible},
                               {"decoding.processor.hostile", Hostile},
                               {"decoding.processor.time", Time}});
}

}  // namespace tenon::testing
