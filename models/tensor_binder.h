// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

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
  explicit TensorBinder(const TensorSource& source) : source_(source) {}

  bool Has(const std::string& name) const { return source_.FindTensor(name) != nullptr; }

  // A matrix as stored. `rows` 0: any number of them.
  Weight Matrix(const std::string& name, int64_t rows, int64_t columns);

  // A vector [1, columns] of f32, converted if it is stored as f16 or bf16.
  Weight Vector(const std::string& name, int64_t columns);

  // A vector that was computed, not stored.
  Weight Own(const std::string& name, std::vector<float> values);

  // Says that the file may hold a tensor of that name, and that it is not needed.
  void Ignore(const std::string& name);

  // Success, or kInvalid: "<path>: its tensors do not fit <model>: …". Names that end in
  // rotary_emb.inv_freq, which older files carry, are never needed.
  Result<void> Check(const std::string& model) const;

  uint64_t TakenValues() const { return values_; }  // each tensor once
  uint64_t TakenBytes() const { return bytes_; }

 private:
  const StoredTensor* Take(const std::string& name, int64_t rows, int64_t columns);
  std::vector<std::string> Unexpected() const;

  const TensorSource& source_;
  std::vector<const StoredTensor*> taken_;
  std::vector<std::string> missing_, misshapen_;
  std::deque<std::string> names_;
  std::deque<std::vector<float>> owned_;
  uint64_t values_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace tenon::models
