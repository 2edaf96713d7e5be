// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/program.h"
#include "tenon/quant.h"

// Which linears an adapter changes.
namespace tenon::quant {

inline constexpr int64_t kMostLoraRank = 256;

// A delta, or the rows of it that one of the stacked matrices has.
struct LoraPart {
  int32_t adapter;
  float scale;
  Tensor a;              // [rank, inputs]
  Tensor b;              // [rows of the part, rank]
  int64_t first_column;  // of the linear's output, where the part's rows go
};

// What belongs behind one linear.
struct LoraSite {
  int32_t at;  // the linear's index in the Program
  std::vector<LoraPart> parts;
};

struct LoraSites {
  std::vector<LoraSite> sites;  // by `at`
  std::string problem;          // why the deltas do not fit the Program; empty: they do
};

// Finds every linear that reads a matrix which `deltas` name. A matrix may be read in slices of
// rows, each its own Weight of that name.
LoraSites FindLoraSites(const ProgramEditor& program, Span<const AdapterDelta> deltas);

}  // namespace tenon::quant
