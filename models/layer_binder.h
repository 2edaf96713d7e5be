// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "models/tensor_binder.h"
#include "tenon/op.h"

namespace tenon::models {

// A linear's matrices and their biases, which are absent where data == null.
struct LinearWeights {
  std::vector<Weight> matrices;
  std::vector<Weight> biases;  // as many, or none
};

// A grouped linear's weights, as tenon/ops.h orders them.
struct GroupedWeights {
  int32_t matrices = 0;
  int32_t experts = 0;
  std::vector<Weight> weights;  // for each matrix its experts
  std::vector<Weight> biases;   // as many, or none
};

// A matrix, or a run of rows of one, by its name and number of rows.
struct MatrixPart {
  std::string_view name;
  int64_t rows;
};

// Takes one layer's tensors by names behind the layer's prefix. Thread: one.
class LayerBinder {
 public:
  // "{}" in `pattern` is the layer's number.
  LayerBinder(TensorBinder& binder, std::string_view pattern, size_t layer);

  TensorBinder& Binder() const { return binder_; }

  // "blk.3." + name + ending.
  std::string Name(std::string_view name, std::string_view ending = ".weight") const;
  bool Has(std::string_view name) const { return binder_.Has(Name(name)); }

  Weight Norm(std::string_view name, int64_t columns);
  Weight Matrix(std::string_view name, int64_t rows, int64_t columns);

  // Matrices that stand alone in the file.
  LinearWeights Linear(std::initializer_list<MatrixPart> parts, int64_t columns, bool bias);

  // The same out of one matrix that has the rows of all: views, and so for the bias.
  LinearWeights Fused(std::string_view name, std::initializer_list<int64_t> rows, int64_t columns,
                      bool bias);

 private:
  TensorBinder& binder_;
  std::string prefix_;
};

}  // namespace tenon::models
