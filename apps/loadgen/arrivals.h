// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::apps {

// When each of `count` requests is sent, seconds from the first, ascending. Intervals follow a
// gamma distribution of shape `burstiness` and mean 1 / rate: 1 is a Poisson process, less comes in
// bursts, infinity at equal intervals. As vLLM does, they are scaled so that the last interval ends
// at count / rate. `rate` infinite: all at once. REQUIRES: rate > 0, burstiness > 0.
std::vector<double> ArrivalTimes(int64_t count, double rate, double burstiness, uint64_t seed);

}  // namespace tenon::apps
