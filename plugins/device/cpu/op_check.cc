// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/op_check.h"

#include "kernels/cpu/dequantize.h"

namespace tenon::cpu {
namespace {

std::string Count(uint64_t seen, const char* what, uint64_t needed) {
  return std::to_string(seen) + " " + what + (seen == 1 ? "" : "s") + " given, " +
         std::to_string(needed) + " needed";
}

const char* RowSetName(RowSet rows) { return rows == RowSet::kTokens ? "tokens" : "logit rows"; }

void CheckBuffer(const OpSpec& spec, const Buffer& buffer, DType dtype, const std::string& which) {
  if (static_cast<uint32_t>(buffer.dtype) >= kDTypeCount) {
    Refuse(spec, Status::kInvalid, which + " has a type of no known number");
  }
  if (buffer.dtype != dtype) {
    Refuse(spec, Status::kUnsupported,
           which + " is " + Layout(buffer.dtype).name + "; device cpu computes on " +
               Layout(dtype).name + " values only");
  }
  if (buffer.rows != RowSet::kTokens && buffer.rows != RowSet::kLogitRows) {
    Refuse(spec, Status::kInvalid, which + " has a row set of no known number");
  }
  if (buffer.data == nullptr || reinterpret_cast<uintptr_t>(buffer.data) % alignof(float) != 0) {
    Refuse(spec, Status::kInvalid, which + " has no memory, or memory not aligned to 4 bytes");
  }
  if (buffer.columns < 1 || buffer.max_rows < 1) {
    Refuse(spec, Status::kInvalid,
           which + " is [" + std::to_string(buffer.max_rows) + ", " +
               std::to_string(buffer.columns) + "]; both must be at least 1");
  }
  const int64_t least = int64_t{buffer.columns} * static_cast<int64_t>(sizeof(float));
  if (buffer.row_bytes < least || buffer.row_bytes % static_cast<int64_t>(sizeof(float)) != 0) {
    Refuse(spec, Status::kInvalid,
           which + " has " + std::to_string(buffer.row_bytes) +
               " bytes from row to row; at least " + std::to_string(least) +
               ", in fours, needed for its columns");
  }
}

template <typename Check>
void ForEachBuffer(const OpSpec& spec, Check check) {
  for (uint64_t i = 0; i < spec.inputs.size; ++i) {
    check(spec.inputs[i], "input " + std::to_string(i));
  }
  for (uint64_t i = 0; i < spec.outputs.size; ++i) {
    check(spec.outputs[i], "output " + std::to_string(i));
  }
}

}  // namespace

void Refuse(const OpSpec& spec, Status status, const std::string& text) {
  throw PlanError(status, std::string(spec.kind) + " \"" + std::string(spec.name) + "\": " + text);
}

void CheckOperands(const OpSpec& spec, OperandCounts counts) {
  if (spec.inputs.size != counts.inputs) {
    Refuse(spec, Status::kInvalid, Count(spec.inputs.size, "input", counts.inputs));
  }
  if (spec.outputs.size != counts.outputs) {
    Refuse(spec, Status::kInvalid, Count(spec.outputs.size, "output", counts.outputs));
  }
  if (spec.weights.size != counts.weights) {
    Refuse(spec, Status::kInvalid, Count(spec.weights.size, "weight", counts.weights));
  }
  for (uint64_t i = 0; i < spec.inputs.size; ++i) {
    CheckBuffer(spec, spec.inputs[i], DType::kF32, "input " + std::to_string(i));
  }
  for (uint64_t i = 0; i < spec.outputs.size; ++i) {
    const DType dtype = i < counts.integer_outputs ? DType::kI32 : DType::kF32;
    CheckBuffer(spec, spec.outputs[i], dtype, "output " + std::to_string(i));
  }
}

void CheckSameColumns(const OpSpec& spec) {
  const int32_t columns = spec.outputs[0].columns;
  ForEachBuffer(spec, [&](const Buffer& buffer, const std::string& which) {
    if (buffer.columns == columns) return;
    Refuse(spec, Status::kInvalid,
           which + " has " + std::to_string(buffer.columns) + " columns; output 0 has " +
               std::to_string(columns) + ", and all must be alike");
  });
}

void CheckSameRows(const OpSpec& spec) {
  const RowSet rows = spec.outputs[0].rows;
  ForEachBuffer(spec, [&](const Buffer& buffer, const std::string& which) {
    if (buffer.rows == rows) return;
    Refuse(spec, Status::kInvalid,
           which + " has " + RowSetName(buffer.rows) + " as rows; output 0 has " +
               RowSetName(rows) + ", and all must be alike");
  });
}

void CheckWeight(const OpSpec& spec, uint64_t i, int64_t rows, int64_t columns) {
  const Weight& weight = spec.weights[i];
  const Tensor& tensor = weight.tensor;
  const std::string which = "weight \"" + std::string(weight.name) + "\"";
  if (tensor.rows != rows || tensor.columns != columns) {
    Refuse(spec, Status::kInvalid,
           which + " is [" + std::to_string(tensor.rows) + ", " + std::to_string(tensor.columns) +
               "]; [" + std::to_string(rows) + ", " + std::to_string(columns) + "] needed");
  }
  if (static_cast<uint32_t>(tensor.dtype) >= kDTypeCount || !CanDequantize(tensor.dtype)) {
    Refuse(spec, Status::kUnsupported,
           which +
               " is stored in a type that device cpu cannot read; all floating and block types"
               " of tenon/dtype.h can be");
  }
  if (weight.scales.data != nullptr) {
    Refuse(spec, Status::kUnsupported, which + " has scales; device cpu reads none");
  }
  const DTypeLayout& layout = Layout(tensor.dtype);
  if (columns % layout.block_values != 0) {
    Refuse(spec, Status::kInvalid,
           which + " has " + std::to_string(columns) + " columns; a multiple of " +
               std::to_string(layout.block_values) + " needed, the block of " + layout.name);
  }
  const int64_t least = static_cast<int64_t>(BytesOf(tensor.dtype, static_cast<uint64_t>(columns)));
  if (tensor.data == nullptr || weight.row_bytes < least) {
    Refuse(spec, Status::kInvalid,
           which + " has no data, or " + std::to_string(weight.row_bytes) +
               " bytes from row to row where a row takes " + std::to_string(least));
  }
}

void CheckParamsBytes(const OpSpec& spec, uint64_t bytes) {
  if (spec.params_bytes != bytes || spec.params == nullptr) {
    Refuse(spec, Status::kInvalid,
           "has " + std::to_string(spec.params_bytes) +
               " bytes of params; its kind's struct in"
               " tenon/ops.h has " +
               std::to_string(bytes));
  }
}

}  // namespace tenon::cpu
