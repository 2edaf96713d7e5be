// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "models/quantization.h"
#include "models/weights/tensor_source.h"
#include "tenon/op.h"
#include "tenon/result.h"

namespace tenon::models {

// Takes the tensors that an architecture expects out of a file, and remembers those that are
// missing, misshapen, or that nobody took, so that Check tells all of it in one message. A tensor
// that could not be taken has data == null. Owns the names and the numbers it converted; weights it
// gave out stay valid while it and the source live. Thread: one.
class TensorBinder {
 public:
  explicit TensorBinder(const TensorSource& source, ScaleBlock block = {})
      : source_(source), block_(block) {}

  bool Has(const std::string& name) const { return source_.FindTensor(name) != nullptr; }

  // A matrix as stored. `rows` 0: any number of them. One of 8-bit floats brings the factors that
  // are stored beside it, if there are any: "<name>_scale_inv" or "<name>_scale", one number, one a
  // row, or one a block. Weight::scales are f32, converted if need be.
  Weight Matrix(const std::string& name, int64_t rows, int64_t columns);

  // A vector [1, columns] of f32, converted if it is stored as f16 or bf16.
  Weight Vector(const std::string& name, int64_t columns);

  // The same of several vectors in one tensor: [rows, columns] of f32.
  Weight Vectors(const std::string& name, int64_t rows, int64_t columns);

  // A vector that was computed, not stored.
  Weight Own(const std::string& name, std::vector<float> values);

  // A dense matrix that was computed. REQUIRES: `bytes` are rows * columns values of `dtype`.
  Weight OwnMatrix(const std::string& name, DType dtype, int64_t rows, int64_t columns,
                   std::vector<std::byte> bytes);

  // Says that the file may hold a tensor of that name, and that it is not needed.
  void Ignore(const std::string& name);
  // The same of all whose names begin so.
  void IgnoreAll(const std::string& prefix) { ignored_prefixes_.push_back(prefix); }

  // Keeps one more thing that is wrong with a tensor, for Check.
  void Wrong(std::string problem) { misshapen_.push_back(std::move(problem)); }

  // So much is missing that no more needs to be looked for.
  bool HopelesslyIncomplete() const { return missing_.size() > kMostMissing; }

  // Success, or kInvalid: "<path>: its tensors do not fit <model>: …". Names that end in
  // rotary_emb.inv_freq, which older files carry, are never needed.
  Result<void> Check(const std::string& model) const;

  uint64_t TakenValues() const { return values_; }  // each tensor once
  uint64_t TakenBytes() const { return bytes_; }

 private:
  static constexpr size_t kMostMissing = 10000;

  const StoredTensor* Take(const std::string& name, int64_t rows, int64_t columns);
  void Count(const StoredTensor& stored);
  void AddScales(const std::string& name, Weight* weight);
  std::vector<std::string> Unexpected() const;
  bool Ignored(std::string_view name) const;

  const TensorSource& source_;
  const ScaleBlock block_;
  std::unordered_set<const StoredTensor*> taken_;
  std::vector<std::string> ignored_prefixes_;
  std::vector<std::string> missing_, misshapen_;
  std::deque<std::string> names_;
  std::deque<std::vector<float>> owned_;
  std::deque<std::vector<std::byte>> owned_matrices_;
  uint64_t values_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace tenon::models
