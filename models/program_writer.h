// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "models/layer_binder.h"
#include "tenon/ops.h"
#include "tenon/program.h"

namespace tenon::models {

// `count` columns of `of` from its column `first` on.
inline Operand SliceOf(const Operand& of, int32_t first, int32_t count) {
  return {of.value, of.first_column + first, count};
}

// Appends values and nodes to a Program; computes what linears need of their maker. Thread: one.
class ProgramWriter {
 public:
  explicit ProgramWriter(ProgramEditor& program) : program_(program) {}

  // Names from now on begin with `prefix`.
  void SetPrefix(std::string prefix) { prefix_ = std::move(prefix); }

  // All columns of a new value.
  Operand NewValue(const std::string& name, int32_t columns, RowSet rows = RowSet::kTokens,
                   DType dtype = DType::kF32);

  template <typename Params>
  void Append(const char* kind, const std::string& name, Family family,
              const std::vector<Operand>& inputs, const std::vector<Operand>& outputs,
              const std::vector<Weight>& weights, const Params& params, Capabilities needs = {}) {
    AppendNode(kind, name, family, inputs, outputs, weights, &params, sizeof(params), needs);
  }

  // The norm of each run of columns as long as the weight.
  void Norm(const std::string& name, Operand in, Operand out, const Weight& weight, float epsilon,
            float offset = 0);

  // inputs: {x} or {x, residual}.
  void Linear(const std::string& name, const std::vector<Operand>& inputs, Operand out,
              const LinearWeights& linear);

  // inputs: {x, experts} or {x}.
  void GroupedLinear(const std::string& name, const std::vector<Operand>& inputs, Operand out,
                     const GroupedWeights& grouped, int32_t slots, bool input_by_slot);

 private:
  void AppendNode(const char* kind, const std::string& name, Family family,
                  const std::vector<Operand>& inputs, const std::vector<Operand>& outputs,
                  const std::vector<Weight>& weights, const void* params, uint64_t params_bytes,
                  Capabilities needs);

  ProgramEditor& program_;
  std::string prefix_;
};

}  // namespace tenon::models
