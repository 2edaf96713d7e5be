// SPDX-License-Identifier: Apache-2.0
#include "models/layer_binder.h"

#include <numeric>

#include "models/weight_layout.h"

namespace tenon::models {

LayerBinder::LayerBinder(TensorBinder& binder, std::string_view pattern, size_t layer)
    : binder_(binder), prefix_(pattern) {
  const size_t at = prefix_.find("{}");
  if (at != std::string::npos) prefix_.replace(at, 2, std::to_string(layer));
}

std::string LayerBinder::Name(std::string_view name, std::string_view ending) const {
  return std::string(prefix_).append(name).append(ending);
}

Weight LayerBinder::Norm(std::string_view name, int64_t columns) {
  return binder_.Vector(Name(name), columns);
}

Weight LayerBinder::Matrix(std::string_view name, int64_t rows, int64_t columns) {
  return binder_.Matrix(Name(name), rows, columns);
}

LinearWeights LayerBinder::Linear(std::initializer_list<MatrixPart> parts, int64_t columns,
                                  bool bias) {
  LinearWeights out;
  for (const MatrixPart& part : parts) {
    out.matrices.push_back(Matrix(part.name, part.rows, columns));
    if (bias) out.biases.push_back(binder_.Vector(Name(part.name, ".bias"), part.rows));
  }
  return out;
}

LinearWeights LayerBinder::Fused(std::string_view name, std::initializer_list<int64_t> rows,
                                 int64_t columns, bool bias) {
  const int64_t all = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  const Weight matrix = Matrix(name, all, columns);
  const Weight biases = bias ? binder_.Vector(Name(name, ".bias"), all) : Weight{};
  LinearWeights out;
  int64_t first = 0;
  for (const int64_t count : rows) {
    out.matrices.push_back(RowsOf(binder_, matrix, first, count));
    if (bias) out.biases.push_back(ColumnsOf(biases, first, count));
    first += count;
  }
  return out;
}

}  // namespace tenon::models
