// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "plugins/quant/common/stored_weight.h"
#include "tenon/host.h"
#include "tenon/op.h"
#include "tenon/ops.h"

// A grouped linear's OpSpec (tenon/ops.h, kGroupedLinear), checked and taken apart.
namespace tenon::quant {

// One of the stacked matrices, once for each expert.
struct GroupedMatrix {
  Span<const Weight> weights;  // [experts], each [rows, k]; valid during Plan
  Span<const Weight> biases;   // [experts], each [1, rows], or empty; valid during Plan
  int64_t rows;
  int64_t first_column;  // of slot 0 in the output; slot j begins `rows` columns further on
};

// What a grouped linear reads and writes in a step.
struct GroupedBuffers {
  Buffer x;         // f32 [k], or [slots * k] with input_by_slot
  Buffer out;       // f32
  Buffer numbers;   // i32 [slots]; data is null where slot j takes matrix j
  int32_t experts;  // matrices to choose from
  int32_t slots;    // products of a token
  int64_t k;        // columns of a matrix
  bool input_by_slot;

  bool routed() const { return numbers.data != nullptr; }
};

struct GroupedSpec {
  GroupedBuffers buffers;
  std::vector<GroupedMatrix> matrices;
};

// Fills `out` from `spec`, or returns kUnsupported (a stored type that the CPU kernels cannot read,
// a buffer of another type) or kInvalid (parameters or shapes that do not fit), after Host::Fail
// with the op's name. Reads no value of a weight. REQUIRES: spec.kind is kGroupedLinear.
Status ReadGrouped(Host& host, const OpSpec& spec, GroupedSpec* out);

}  // namespace tenon::quant
