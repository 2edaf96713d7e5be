// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::apps {

// A mean with its uncertainty.
struct Estimate {
  double value = 0;
  double low = 0, high = 0;  // bootstrap interval at the level asked for
  // The smallest true value (away from 0) that such an experiment finds four times in five.
  double detectable = 0;
  int32_t samples = 0;

  // Whether the interval leaves out 0.
  bool Found() const { return samples > 1 && (low > 0 || high < 0); }
};

// The mean of independent `samples` with a bootstrap percentile interval of coverage 1 - alpha,
// widened for small samples as Hesterberg 2015 proposes ("What Teachers Should Know About the
// Bootstrap", expanded percentile interval), and never narrower than Student's t interval.
// Deterministic. Fewer than 2 samples: an interval of everything.
Estimate MeanOf(const std::vector<double>& samples, double alpha);

// The ratio Σ numerators / Σ denominators of samples that belong together in pairs (clusters such
// as the positions of one text), with the same interval.
Estimate RatioOf(const std::vector<double>& numerators, const std::vector<double>& denominators,
                 double alpha);

// mean(a) − mean(b) of independent samples, and mean(a) / mean(b) (0 where b's is 0), with the same
// interval; its degrees of freedom are those of the smaller sample.
Estimate DifferenceOf(const std::vector<double>& a, const std::vector<double>& b, double alpha);
Estimate RatioOfMeans(const std::vector<double>& a, const std::vector<double>& b, double alpha);

// A share k / n with its Wilson interval. Wilson 1927.
Estimate ShareOf(int64_t k, int64_t n, double alpha);

// Of two estimates of one value: the first one's value, and all that either interval holds.
Estimate WiderOf(const Estimate& one, const Estimate& other);

double MedianOf(std::vector<double> values);  // 0 for none

// KL(softmax(a) ‖ softmax(b)) in nats; never below 0. Sums in double.
double KlDivergence(const float* a, const float* b, int64_t count);

}  // namespace tenon::apps
