// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/gguf_metadata.h"
#include "models/weights/gguf_parts.h"
#include "models/weights/mapped_file.h"
#include "models/weights/tensor_source.h"
#include "tenon/result.h"

namespace tenon::models {

// A GGUF file (github.com/ggml-org/ggml, docs/gguf.md), version 2 or 3, little endian: header,
// metadata, tensor descriptions, padding to general.alignment (32 if not said), tensor data.
//
// Everything is checked when it is opened: every count against the bytes that are left before room
// is made for it, every shape for overflow, every tensor against the file's end and the others.
// Tensors of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K; others are refused
// by name. Views stay valid when the object is moved. Thread: const methods from any.
class GgufFile final : public TensorSource {
 public:
  // Maps the file and owns the map. Any part of a split model ("…-00001-of-00003.gguf") opens them
  // all: the metadata is the first one's.
  static Result<GgufFile> Open(const std::string& path);

  // Reads bytes that the caller keeps alive, a whole model's. `name` stands for the path in
  // messages.
  static Result<GgufFile> Read(std::span<const std::byte> bytes, const std::string& name);

  const GgufMetadata& Metadata() const { return metadata_; }

  size_t TensorCount() const override { return tensors_.size(); }
  const StoredTensor& TensorAt(size_t i) const override { return tensors_[i]; }  // by name
  const StoredTensor* FindTensor(std::string_view name) const override;
  const std::string& Path() const override { return metadata_.Path(); }

 private:
  static Result<GgufFile> ReadPart(std::span<const std::byte> bytes, const std::string& name);
  static Result<GgufFile> OpenPart(const std::string& path);
  void Join(GgufFile part);

  std::vector<MappedFile> maps_;
  GgufPart part_;
  GgufMetadata metadata_;              // of the first part
  std::vector<StoredTensor> tensors_;  // by name
};

// What tensors may be stored as, by ggml's names.
std::vector<std::string> GgufTypeNames();

}  // namespace tenon::models
