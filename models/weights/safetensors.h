// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/mapped_file.h"
#include "models/weights/tensor_source.h"
#include "tenon/result.h"

namespace tenon::models {

// One or more safetensors files (github.com/huggingface/safetensors): u64 header length, a JSON
// object {name: {dtype, shape, data_offsets}}, then the data, without holes or overlap.
//
// Everything is checked when it is opened: the header's length and nesting, each tensor's offsets
// against its shape and type, and all of them against each other and the file. Tensors of F32, F16,
// BF16 and F8_E4M3; others are refused by name, but for the U8 of MXFP4 (…_blocks, …_scales), which
// is given as kI8, and position_ids in I64, which are left out. Views stay valid when the object is
// moved. Thread: const methods from any.
class SafetensorsFile final : public TensorSource {
 public:
  // Maps one file and owns the map.
  static Result<SafetensorsFile> Open(const std::string& path);

  // Maps the files that a model.safetensors.index.json names, beside it. Each tensor must be in the
  // file that the index says.
  static Result<SafetensorsFile> OpenSharded(const std::string& index_path);

  // Opens model.safetensors, or model.safetensors.index.json, or the folder's only *.safetensors.
  static Result<SafetensorsFile> OpenFolder(const std::string& folder);

  // Reads one file's bytes, which the caller keeps alive. `name` stands for the path in messages.
  static Result<SafetensorsFile> Read(std::span<const std::byte> bytes, const std::string& name);

  size_t TensorCount() const override { return tensors_.size(); }
  const StoredTensor& TensorAt(size_t i) const override { return tensors_[i]; }  // by name
  const StoredTensor* FindTensor(std::string_view name) const override;
  const std::string& Path() const override { return path_; }

 private:
  std::string path_;
  std::vector<MappedFile> maps_;
  std::vector<std::vector<char>> names_;  // what the tensors' names view, one block a file
  std::vector<StoredTensor> tensors_;     // by name
};

}  // namespace tenon::models
