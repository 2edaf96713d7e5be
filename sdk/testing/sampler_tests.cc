// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tenon/testing/decoding_tests.h"
#include "tenon/testing/stopwatch.h"

namespace tenon::testing {
namespace {

const char* const kNoRole = "offers no tenon.decoding.sampler/1";
constexpr int32_t kVocabulary = 12;

SamplingParams Unfiltered(float temperature) {
  SamplingParams params;
  params.temperature = temperature;
  params.top_k = 0;
  params.top_p = 1;
  params.min_p = 0;
  return params;
}

int32_t Draw(Sampler& sampler, std::vector<float> logits, const SamplingParams& params,
             size_t output_tokens) {
  const std::vector<int32_t> tokens(5 + output_tokens, 1);
  const Scratch scratch(sampler.ScratchBytes(static_cast<int32_t>(logits.size())));
  return sampler.Sample(PointOf(tokens, 5, params), {logits.data(), logits.size()}, scratch.get());
}

std::vector<float> DistributionOf(Sampler& sampler, std::vector<float> logits,
                                  const SamplingParams& params) {
  const std::vector<int32_t> tokens(6, 1);
  const Scratch scratch(sampler.ScratchBytes(static_cast<int32_t>(logits.size())));
  sampler.Distribution(PointOf(tokens, 5, params), {logits.data(), logits.size()}, scratch.get());
  return logits;
}

int32_t ArgMax(const std::vector<float>& logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

bool IsCertain(const std::vector<float>& p) {
  return std::count(p.begin(), p.end(), 0.0f) == static_cast<int64_t>(p.size()) - 1;
}

Verdict Greedy(const Subject& subject) {
  Role<Sampler> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SamplingParams params = Unfiltered(0);
    params.seed = seed;
    const std::vector<float> logits = RandomLogits(300, seed);
    const int32_t token = Draw(*made.role, logits, params, seed);
    if (token != ArgMax(logits)) {
      return Failed(
          Text("temperature 0 took token %d; the most likely one is %d", token, ArgMax(logits)));
    }
  }
  return Passed();
}

Verdict SameSeed(const Subject& subject) {
  Role<Sampler> made(subject), other(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SamplingParams params = Unfiltered(1);
    params.seed = seed;
    const std::vector<float> logits = RandomLogits(300, seed);
    const int32_t token = Draw(*made.role, logits, params, seed % 9);
    Draw(*made.role, RandomLogits(40, seed), params, seed % 7);
    if (Draw(*made.role, logits, params, seed % 9) != token ||
        Draw(*other.role, logits, params, seed % 9) != token) {
      return Failed("the same seed and place took another token");
    }
  }
  return Passed();
}

Verdict Range(const Subject& subject) {
  Role<Sampler> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const std::vector<std::vector<float>> all = {{1, 2, NAN},
                                               {NAN, NAN},
                                               {-INFINITY, -INFINITY},
                                               {INFINITY, 0},
                                               {0},
                                               RandomLogits(1000, 5),
                                               std::vector<float>(500, 0.0f)};
  for (const std::vector<float>& logits : all) {
    for (const float odd : {0.0f, 1.0f, NAN, INFINITY, -1.0f, 1e-45f}) {
      SamplingParams params = Unfiltered(odd);
      params.top_p = params.min_p = odd;
      params.top_k = odd > 0 ? INT32_MAX : -1;
      std::vector<float> copy = logits;
      const std::vector<int32_t> tokens(6, 1);
      const Scratch scratch(made.role->ScratchBytes(static_cast<int32_t>(logits.size())));
      const int32_t token =
          made.role->Sample(PointOf(tokens, 5, params), {copy.data(), copy.size()}, scratch.get());
      if (token < 0 || static_cast<size_t>(token) >= logits.size()) {
        return Failed(Text("took token %d of %zu", token, logits.size()));
      }
      if (scratch.Overrun()) return Failed("wrote behind its scratch");
    }
  }
  return Passed();
}

// Pearson's chi-square of `draws` draws; what is wrong, or "".
std::string ChiSquare(const std::vector<int64_t>& counts, const std::vector<float>& p,
                      int64_t draws) {
  double sum = 0;
  int freedom = -1;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double expected = static_cast<double>(p[i]) * static_cast<double>(draws);
    const double off = static_cast<double>(counts[i]) - expected;
    if (expected < 1e-3 && counts[i] > 1) {
      return Text("took token %zu %lld times, whose probability is %g", i,
                  static_cast<long long>(counts[i]), static_cast<double>(p[i]));
    }
    if (expected < 5) continue;
    sum += off * off / expected;
    ++freedom;
  }
  if (freedom < 1) return "";
  // Wilson & Hilferty 1931: the cube root of chi-square is about normal; 5.2 deviations, 1e-7.
  const double part = 2.0 / (9.0 * freedom);
  const double bound = freedom * std::pow(1 - part + 5.2 * std::sqrt(part), 3);
  if (sum <= bound) return "";
  return Text("chi-square is %.1f with %d degrees of freedom; up to %.1f allowed", sum, freedom,
              bound);
}

Verdict DrawsItsDistribution(const Subject& subject) {
  Role<Sampler> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  constexpr int64_t kDraws = 20000;
  std::vector<SamplingParams> all = {Unfiltered(1), Unfiltered(0.5f), SamplingParams{}};
  all.push_back(Unfiltered(1));
  all.back().top_k = 4;
  all.push_back(Unfiltered(1.5f));
  all.back().top_p = 0.8f;
  for (SamplingParams params : all) {
    const std::vector<float> logits = RandomLogits(kVocabulary, 3);
    const std::vector<float> p = DistributionOf(*made.role, logits, params);
    std::vector<int64_t> counts(kVocabulary);
    for (int64_t i = 0; i < kDraws; ++i) {
      params.seed = static_cast<uint64_t>(i / 100);
      const int32_t token = Draw(*made.role, logits, params, static_cast<size_t>(i % 100));
      if (token < 0 || token >= kVocabulary) return Failed(Text("took token %d of 12", token));
      ++counts[static_cast<size_t>(token)];
    }
    const std::string wrong = ChiSquare(counts, p, kDraws);
    if (!wrong.empty()) return Failed(wrong);
  }
  return Passed();
}

// The formula: temperature, then top-k, top-p of what is left, min-p.
std::vector<double> Exactly(const std::vector<float>& logits, const SamplingParams& params) {
  const double highest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<double> w;
  for (const float x : logits) {
    w.push_back(
        std::exp((static_cast<double>(x) - highest) / static_cast<double>(params.temperature)));
  }
  std::vector<size_t> order(w.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return w[a] > w[b]; });
  if (params.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(params.top_k)));
  double all = 0, sum = 0;
  for (const size_t i : order) all += w[i];
  std::vector<double> out(w.size());
  for (const size_t i : order) {
    const bool enough = params.top_p < 1 && sum >= static_cast<double>(params.top_p) * all;
    if (enough || w[i] < static_cast<double>(params.min_p)) break;
    sum += out[i] = w[i];
  }
  for (double& x : out) x /= sum;
  return out;
}

Verdict Formula(const Subject& subject) {
  Role<Sampler> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const auto offers = [&](const char* name) {
    return FindOption(*subject.component, name) != nullptr;
  };
  std::vector<SamplingParams> all = {Unfiltered(1), Unfiltered(0.7f)};
  for (int filter = 0; filter < 3; ++filter) {
    SamplingParams params = Unfiltered(1.2f);
    if (filter == 0 && offers("top_k")) params.top_k = 5;
    if (filter == 1 && offers("top_p")) params.top_p = 0.75f;
    if (filter == 2 && offers("min_p")) params.min_p = 0.1f;
    all.push_back(params);
  }
  for (const SamplingParams& params : all) {
    const std::vector<float> logits = RandomLogits(200, 8);
    const std::vector<float> p = DistributionOf(*made.role, logits, params);
    if (IsCertain(p) && p[static_cast<size_t>(ArgMax(logits))] == 1) {
      return Passed("always the most likely token");
    }
    const std::vector<double> exact = Exactly(logits, params);
    for (size_t i = 0; i < exact.size(); ++i) {
      if (std::abs(static_cast<double>(p[i]) - exact[i]) <= 1e-4) continue;
      return Failed(
          Text("token %zu has probability %g; %g by the formula (temperature %g, top_k "
               "%d, top_p %g, min_p %g)",
               i, static_cast<double>(p[i]), exact[i], static_cast<double>(params.temperature),
               params.top_k, static_cast<double>(params.top_p), static_cast<double>(params.min_p)));
    }
  }
  return Passed();
}

Verdict Time(const Subject& subject) {
  Role<Sampler> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const std::vector<float> logits = RandomLogits(49152, 1);
  const SamplingParams params;
  const double seconds = FastestSeconds([&] { Draw(*made.role, logits, params, 3); });
  return Passed(Text("49152 logits, its defaults: %.0f us", seconds * 1e6));
}

}  // namespace

void AddSamplerTests(std::vector<Test>* tests) {
  tests->insert(tests->end(), {{"decoding.sampler.arg_max", Greedy},
                               {"decoding.sampler.same_seed", SameSeed},
                               {"decoding.sampler.range", Range},
                               {"decoding.sampler.draws", DrawsItsDistribution},
                               {"decoding.sampler.formula", Formula},
                               {"decoding.sampler.time", Time}});
}

}  // namespace tenon::testing
