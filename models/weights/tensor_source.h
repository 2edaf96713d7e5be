// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/dtype.h"
#include "tenon/result.h"

namespace tenon::models {

// A tensor of a file. Axes before the last are folded into rows; a vector has rows == 1.
struct StoredTensor {
  std::string_view name;  // as in the file; lives as long as its source
  Tensor tensor;          // a view into the map
};

// The tensors of a model's file or files, whatever the format. Names are unique, and every tensor
// lies inside its file. Thread: any.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  virtual size_t TensorCount() const = 0;
  virtual const StoredTensor& TensorAt(size_t i) const = 0;  // REQUIRES: i < TensorCount()

  // Null where there is none of that name.
  virtual const StoredTensor* FindTensor(std::string_view name) const = 0;

  virtual const std::string& Path() const = 0;  // for messages
};

// Orders them by name. kInvalid, naming the tensor behind `path`, where two share a name.
Result<void> SortByName(const std::string& path, std::vector<StoredTensor>& tensors);

}  // namespace tenon::models
