// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "tenon/ops.h"

// Element-wise work on one row of f32. `out` may be one of the inputs; no other overlap.
namespace tenon::cpu {

// out[i] = activation(gate[i]) * up[i]. silu(x) = x / (1 + e^-x);
// gelu_tanh(x) = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3); gelu(x) = x Phi(x).
// Hendrycks & Gimpel 2016, "Gaussian Error Linear Units"; Shazeer 2020, "GLU Variants Improve
// Transformer".
using GluFunction = void (*)(const float* gate, const float* up, int64_t count, float* out);

// out[i] = activation(x[i]).
using ActivateFunction = void (*)(const float* x, int64_t count, float* out);

struct ActivationFunctions {
  GluFunction silu;
  GluFunction gelu_tanh;
  GluFunction gelu;
  void (*add)(const float* a, const float* b, int64_t count, float* out);  // a + b
  void (*scale)(const float* x, float factor, int64_t count, float* out);  // x * factor
  void (*soft_cap)(const float* x, float cap, int64_t count, float* out);  // cap tanh(x / cap)
  ActivateFunction activate_silu;
  ActivateFunction activate_gelu_tanh;
  ActivateFunction activate_gelu;
};

// For one level; stateless, any thread.
const ActivationFunctions& ActivationsOf(Isa isa);

// The kernel of an activation; null for one that is not known.
GluFunction GluOf(Isa isa, Activation activation);

}  // namespace tenon::cpu
