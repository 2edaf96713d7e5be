// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/arrivals.h"

#include <cmath>
#include <random>

namespace tenon::apps {

std::vector<double> ArrivalTimes(int64_t count, double rate, double burstiness, uint64_t seed) {
  std::vector<double> times(static_cast<size_t>(count), 0.0);
  if (times.empty() || std::isinf(rate)) return times;
  std::mt19937_64 random(seed);
  std::gamma_distribution<double> interval(std::isinf(burstiness) ? 1.0 : burstiness,
                                           std::isinf(burstiness) ? 1.0 : 1 / (rate * burstiness));
  double now = 0;
  for (double& time : times) {
    time = now;
    now += std::isinf(burstiness) ? 1 / rate : interval(random);
  }
  const double scale = now > 0 ? static_cast<double>(count) / rate / now : 0;
  for (double& time : times) time *= scale;
  return times;
}

}  // namespace tenon::apps
