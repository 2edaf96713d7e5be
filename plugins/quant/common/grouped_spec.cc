// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/grouped_spec.h"

#include <limits>
#include <string>

namespace tenon::quant {
namespace {

Status CheckParams(Host& host, const OpSpec& spec) {
  if (spec.params_bytes != sizeof(GroupedLinearParams) || spec.params == nullptr) {
    return Refuse(host, Status::kInvalid, spec,
                  std::to_string(spec.params_bytes) +
                      " bytes of parameters; a grouped linear has " +
                      std::to_string(sizeof(GroupedLinearParams)));
  }
  const GroupedLinearParams& p = ParamsOf<GroupedLinearParams>(spec);
  const bool routed = spec.inputs.size == 2;
  if (p.matrices < 1 || p.experts < 1 || p.slots < 1 || (!routed && p.slots != p.experts)) {
    return Refuse(host, Status::kInvalid, spec,
                  std::to_string(p.matrices) + " matrices for " + std::to_string(p.slots) +
                      " slots of " + std::to_string(p.experts) +
                      " experts; at least one of each needed, and without a choice of experts as "
                      "many slots as experts");
  }
  const uint64_t weights = static_cast<uint64_t>(p.matrices) * static_cast<uint64_t>(p.experts);
  const uint64_t expected = p.has_bias != 0 ? 2 * weights : weights;
  if (spec.inputs.size < 1 || spec.inputs.size > 2 || spec.outputs.size != 1 ||
      spec.weights.size != expected) {
    return Refuse(host, Status::kInvalid, spec,
                  "a grouped linear takes x (and experts), one output and " +
                      std::to_string(expected) + " weights here; got " +
                      std::to_string(spec.inputs.size) + " inputs, " +
                      std::to_string(spec.outputs.size) + " outputs, " +
                      std::to_string(spec.weights.size) + " weights");
  }
  return Status::kOk;
}

Status CheckBuffer(Host& host, const OpSpec& spec, const Buffer& buffer, DType dtype) {
  if (buffer.dtype != dtype) {
    const bool known = static_cast<uint32_t>(buffer.dtype) < kDTypeCount;
    return Refuse(host, Status::kUnsupported, spec,
                  std::string("a value is stored as ") +
                      (known ? Layout(buffer.dtype).name : "no known type") + "; " +
                      Layout(dtype).name + " is understood there");
  }
  if (buffer.rows != spec.outputs[0].rows || buffer.data == nullptr) {
    return Refuse(host, Status::kInvalid, spec,
                  "a value has no memory, or other rows than the output");
  }
  return Status::kOk;
}

Status ReadBuffers(Host& host, const OpSpec& spec, GroupedBuffers* out) {
  const GroupedLinearParams& p = ParamsOf<GroupedLinearParams>(spec);
  const bool routed = spec.inputs.size == 2;
  *out = {spec.inputs[0],      spec.outputs[0], routed ? spec.inputs[1] : Buffer{},
          p.experts,           p.slots,         spec.inputs[0].columns,
          p.input_by_slot != 0};
  Status status = CheckBuffer(host, spec, out->x, DType::kF32);
  if (status == Status::kOk) status = CheckBuffer(host, spec, out->out, DType::kF32);
  if (status == Status::kOk && routed) status = CheckBuffer(host, spec, out->numbers, DType::kI32);
  if (status != Status::kOk) return status;
  if (routed && out->numbers.columns != p.slots) {
    return Refuse(host, Status::kInvalid, spec,
                  "there are " + std::to_string(out->numbers.columns) + " experts a row for " +
                      std::to_string(p.slots) + " slots");
  }
  if (out->input_by_slot) {
    if (out->k % p.slots != 0) {
      return Refuse(host, Status::kInvalid, spec,
                    "an input of " + std::to_string(out->k) + " columns cannot be shared by " +
                        std::to_string(p.slots) + " slots");
    }
    out->k /= p.slots;
  }
  if (int64_t{out->x.max_rows} * p.slots > std::numeric_limits<int32_t>::max()) {
    return Refuse(host, Status::kUnsupported, spec,
                  std::to_string(out->x.max_rows) + " rows of " + std::to_string(p.slots) +
                      " slots are too many; lower scheduler.max_batch_tokens");
  }
  return Status::kOk;
}

Status ReadMatrix(Host& host, const OpSpec& spec, int32_t m, int64_t k, GroupedMatrix* out) {
  const GroupedLinearParams& p = ParamsOf<GroupedLinearParams>(spec);
  const uint64_t experts = static_cast<uint64_t>(p.experts);
  const uint64_t first = static_cast<uint64_t>(m) * experts;
  const uint64_t biases = static_cast<uint64_t>(p.matrices) * experts;
  out->weights = {spec.weights.data + first, experts};
  out->biases = {};
  if (p.has_bias != 0) out->biases = {spec.weights.data + biases + first, experts};
  out->rows = out->weights[0].tensor.rows;
  for (uint64_t e = 0; e < experts; ++e) {
    const Weight& weight = out->weights[e];
    const Weight* bias = p.has_bias != 0 ? &out->biases[e] : nullptr;
    Status status = CheckMatrix(host, spec, weight, bias, k);
    if (status != Status::kOk) return status;
    if (weight.tensor.rows != out->rows) {
      return Refuse(host, Status::kInvalid, spec,
                    Named(weight) + " of expert " + std::to_string(e) + " has other rows than " +
                        Named(out->weights[0]) + " of expert 0");
    }
  }
  return Status::kOk;
}

}  // namespace

Status ReadGrouped(Host& host, const OpSpec& spec, GroupedSpec* out) {
  out->matrices.clear();
  Status status = CheckParams(host, spec);
  if (status == Status::kOk) status = ReadBuffers(host, spec, &out->buffers);
  if (status != Status::kOk) return status;
  const GroupedLinearParams& p = ParamsOf<GroupedLinearParams>(spec);
  int64_t columns = 0;
  for (int32_t m = 0; m < p.matrices; ++m) {
    GroupedMatrix matrix{};
    status = ReadMatrix(host, spec, m, out->buffers.k, &matrix);
    if (status != Status::kOk) return status;
    matrix.first_column = columns;
    // Whatever the file says: past the output's columns there is nothing more to add up.
    if (matrix.rows <= out->buffers.out.columns) columns += matrix.rows * p.slots;
    if (matrix.rows > out->buffers.out.columns || columns > out->buffers.out.columns) {
      columns = std::numeric_limits<int64_t>::max();
      break;
    }
    out->matrices.push_back(matrix);
  }
  if (columns != out->buffers.out.columns) {
    return Refuse(host, Status::kInvalid, spec,
                  "the matrices' rows, for " + std::to_string(p.slots) +
                      " slots, do not add up to the output's " +
                      std::to_string(out->buffers.out.columns) + " columns");
  }
  return Status::kOk;
}

}  // namespace tenon::quant
