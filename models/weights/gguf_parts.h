// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/weights/gguf_metadata.h"
#include "tenon/result.h"

namespace tenon::models {

// What a GGUF file says of itself as a part of a split model (gguf-split's split.* keys). Part 0
// has the model's metadata; each part has tensors of its own.
struct GgufPart {
  int64_t number = 0;    // from 0
  int64_t count = 1;     // of parts; 1: the file is whole
  int64_t tensors = -1;  // in all parts; -1: not said
};

// kInvalid, naming the key, where the keys make no sense.
Result<GgufPart> ReadGgufPart(const GgufMetadata& metadata);

// The paths of all parts, in order, by the name of one: "model-00002-of-00005.gguf". kInvalid where
// `path` is not named as `part` says.
Result<std::vector<std::string>> GgufPartPaths(const std::string& path, const GgufPart& part);

}  // namespace tenon::models
