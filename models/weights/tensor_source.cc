// SPDX-License-Identifier: Apache-2.0
#include "models/weights/tensor_source.h"

#include <algorithm>

#include "fmt/format.h"
#include "models/weights/quoted.h"

namespace tenon::models {

Result<void> SortByName(const std::string& path, std::vector<StoredTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  for (size_t i = 1; i < tensors.size(); ++i) {
    if (tensors[i - 1].name == tensors[i].name) {
      return Error{Status::kInvalid,
                   fmt::format("{}: tensor {} is there twice", path, Quoted(tensors[i].name))};
    }
  }
  return {};
}

}  // namespace tenon::models
