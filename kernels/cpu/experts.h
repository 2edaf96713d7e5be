// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

// What a mixture of experts does to one row of f32 besides its products. Stateless, any thread.
namespace tenon::cpu {

struct ExpertFunctions {
  // out[i] = (u + 1) g sigmoid(alpha g), g = min(gate[i], limit), u = clamp(up[i], -limit, limit).
  // A NaN stays one. `out` may be an input. OpenAI 2025, "gpt-oss-120b & gpt-oss-20b Model Card".
  void (*clamped_glu)(const float* gate, const float* up, float alpha, float limit, int64_t count,
                      float* out);
  // out[i] = (base[i] +) Σ over j, ascending, of weights[j] * y[j * stride + i]; base may be null,
  // or `out` itself.
  void (*weighted_sum)(const float* y, int64_t stride, const float* weights, int64_t terms,
                       const float* base, int64_t count, float* out);
};

// For one level.
const ExpertFunctions& ExpertFunctionsOf(Isa isa);

}  // namespace tenon::cpu
