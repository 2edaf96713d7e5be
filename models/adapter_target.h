// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace tenon::models {

// Where a model's file has the matrix of a module that an adapter names ("model.layers.3.mlp.
// up_proj", as in the Hugging Face layout), and in which order its rows are.
struct AdapterTarget {
  std::string weight;     // Weight::name of the stored matrix
  int64_t rows = 0;       // of the module's matrix: its outputs
  int64_t columns = 0;    // its inputs
  int64_t first_row = 0;  // of the stored matrix, where the module's rows begin
  int64_t stored_rows = 0;
  // 0: rows lie as in the module. Else in each run of so many rows (a head) the stored row 2 i + s
  // is the module's row i + s * head_rows / 2: files whose RoPE turns neighbours.
  int64_t head_rows = 0;

  // The module's row that lies at row first_row + `row` of the stored matrix.
  int64_t ModuleRow(int64_t row) const {
    if (head_rows == 0) return row;
    const int64_t within = row % head_rows;
    return row - within + within / 2 + within % 2 * (head_rows / 2);
  }
};

}  // namespace tenon::models
