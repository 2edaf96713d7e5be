// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "kernels/cpu/isa.h"

namespace tenon::apps {

// What this machine can do at most, measured: the denominators of "share of peak".
struct MachineLimits {
  std::string isa;
  int32_t threads = 0;
  std::map<std::string, double> ops_per_s;  // by type: "int8", "bf16", "f32"; a multiply-add is two
  double read_bytes_per_s = 0;              // out of memory, far more than the caches hold
};

// Runs each loop on `threads` threads at once, a few times for about a fifth of a second, and keeps
// the best. Uses 256 MiB a thread.
MachineLimits MeasureMachine(cpu::Isa isa, int32_t threads);

}  // namespace tenon::apps
