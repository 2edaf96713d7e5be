// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/cpu/dequantize.h"
#include "models/testing/recorder.h"

namespace tenon::models::testing {

// The values of a Program that the Interpreter runs, one row a token.
class InterpreterValues {
 public:
  using Row = std::vector<float>;

  InterpreterValues(const Recorder& program, size_t tokens) : tokens_(tokens) {
    for (const Recorder::KeptValue& value : program.values) {
      values_.emplace_back(tokens, Row(static_cast<size_t>(value.columns)));
    }
  }

  size_t Tokens() const { return tokens_; }
  const std::vector<Row>& Rows(uint32_t value) const { return values_.at(value); }

  float* At(const Operand& operand, size_t row) {
    return values_.at(operand.value).at(row).data() + operand.first_column;
  }

  static Row WeightRow(const Weight& weight, int64_t row) {
    Row out(static_cast<size_t>(weight.tensor.columns));
    const char* data = static_cast<const char*>(weight.tensor.data) + row * weight.row_bytes;
    cpu::Dequantize(cpu::Isa::kGeneric, weight.tensor.dtype, data, weight.tensor.columns,
                    out.data());
    if (weight.scales.data == nullptr) return out;
    const float* scales = static_cast<const float*>(weight.scales.data) +
                          row / weight.scale_rows * weight.scales.columns;
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] *= scales[i / static_cast<size_t>(weight.scale_columns)];
    }
    return out;
  }

 private:
  const size_t tokens_;
  std::vector<std::vector<Row>> values_;  // [value][row][column]
};

}  // namespace tenon::models::testing
