// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "plugins/quant/common/stored_weight.h"
#include "tenon/host.h"
#include "tenon/op.h"
#include "tenon/ops.h"

// A linear's OpSpec, checked and taken apart.
namespace tenon::quant {

// One of the stacked matrices.
struct LinearMatrix {
  Weight weight;         // [rows, columns of x]
  const Weight* bias;    // [1, rows] of a type that can be read, or null; valid during Plan
  int64_t first_column;  // of the output
};

struct LinearSpec {
  Buffer x;                // f32
  Buffer out;              // f32
  const Buffer* residual;  // f32, or null; valid during Plan
  std::vector<LinearMatrix> matrices;
  int64_t k;        // columns of x
  int64_t columns;  // of out
};

// Fills `out` from `spec`, or returns kUnsupported (another kind, a stored type that the CPU
// kernels cannot read, a buffer that is not f32) or kInvalid (shapes that do not fit), after
// Host::Fail with the op's name.
Status ReadLinear(Host& host, const OpSpec& spec, LinearSpec* out);

}  // namespace tenon::quant
