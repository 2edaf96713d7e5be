// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/tensor_source.h"
#include "tenon/result.h"

namespace tenon::models {

// The tensors that one safetensors file describes, in the order of their data.
struct SafetensorsHeader {
  std::vector<char> names;            // all names, one behind the other
  std::vector<StoredTensor> tensors;  // names view `names`, data views the bytes
};

// Whether a tensor of that name counts positions (BERT and others store 0, 1, 2, … in I64): it has
// its place in the file, and nobody reads it.
bool IsPositionIds(std::string_view tensor);

// Whether a tensor of that name holds bytes of a packed format (MXFP4): its U8 is read as kI8.
bool IsPacked(std::string_view tensor);

// Parses and checks the header of `bytes`, a whole file.
Result<SafetensorsHeader> ReadSafetensorsHeader(std::span<const std::byte> bytes,
                                                const std::string& path);

// The file names in an index's weight_map, each once, in order. Names must be plain: no folder.
Result<std::vector<std::string>> ReadShardNames(std::string_view json, const std::string& path);

// Calls visit(context, tensor, file) for each entry of an index's weight_map; stops at the first
// visit that returns false.
Result<void> VisitWeightMap(std::string_view json, const std::string& path,
                            bool (*visit)(void* context, std::string_view tensor,
                                          std::string_view file),
                            void* context);

// What tensors may be stored as, by the format's names.
std::vector<std::string> SafetensorsTypeNames();

}  // namespace tenon::models
