// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>

#include "tenon/op.h"

// What an op's planning asks of its OpSpec. Programs are also written by passes of third parties,
// so every check has a text that names the op, the value seen and the values allowed.
namespace tenon::cpu {

// Leaves planning; caught in CpuDevice::Plan.
class PlanError : public std::runtime_error {
 public:
  PlanError(Status reason, const std::string& text) : std::runtime_error(text), status(reason) {}
  Status status;
};

// Throws PlanError: `kind "name": text`.
[[noreturn]] void Refuse(const OpSpec& spec, Status status, const std::string& text);

struct OperandCounts {
  uint64_t inputs, outputs, weights;
  uint64_t integer_outputs = 0;  // so many of the first outputs are i32
};

// The numbers of operands are these, and each buffer is f32 (or i32, see above), aligned, with rows
// that hold its columns and a row set that exists.
void CheckOperands(const OpSpec& spec, OperandCounts counts);

// All inputs and outputs have the columns of the first output; and its row set.
void CheckSameColumns(const OpSpec& spec);
void CheckSameRows(const OpSpec& spec);

// weights[i] is [rows, columns], dense in its rows, of a type that can be read (CanDequantize), and
// without scales.
void CheckWeight(const OpSpec& spec, uint64_t i, int64_t rows, int64_t columns);

void CheckParamsBytes(const OpSpec& spec, uint64_t bytes);

// The kind's params.
template <typename P>
P CheckedParams(const OpSpec& spec) {
  CheckParamsBytes(spec, sizeof(P));
  P params;
  std::memcpy(&params, spec.params, sizeof(P));
  return params;
}

// Row `row` of an f32 buffer.
inline float* RowOf(const Buffer& buffer, int32_t row) {
  return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + buffer.row_bytes * row);
}

}  // namespace tenon::cpu
