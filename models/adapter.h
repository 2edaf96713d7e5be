// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/adapter_config.h"
#include "models/stored_model.h"
#include "models/weights/safetensors.h"
#include "tenon/dtype.h"
#include "tenon/result.h"

namespace tenon::models {

// What an adapter does to one stored matrix of a model: W += scale · b · a.
struct AdapterMatrix {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  std::string weight;  // Weight::name of the matrix that holds it
  Tensor a;            // [rank, inputs], as stored
  Tensor b;            // [rows of the stored matrix, rank], in its order; 0 for rows of others
  float scale;
};

// A LoRA adapter in PEFT's layout, a folder of adapter_config.json and adapter_model.safetensors,
// opened for one model. Hu et al. 2021, "LoRA". Owns what its tensors view, and may be moved.
// Thread: const methods from any.
class StoredAdapter {
 public:
  // Fails with one message that names everything that does not fit: tensors without their
  // counterpart or of a wrong shape, modules that the model does not have, keys of the config.
  static Result<StoredAdapter> Open(const std::string& folder, const StoredModel& model);

  const std::vector<AdapterMatrix>& Matrices() const { return matrices_; }  // by module
  int64_t Rank() const { return rank_; }                                    // the largest
  const std::vector<std::string>& Targets() const { return targets_; }      // "q_proj", …; sorted
  uint64_t Bytes() const { return bytes_; }                                 // as stored

 private:
  class Reader;

  std::unique_ptr<SafetensorsFile> file_;
  std::vector<std::unique_ptr<char[]>> own_;  // factors whose rows had to move
  std::vector<AdapterMatrix> matrices_;
  std::vector<std::string> targets_;
  int64_t rank_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace tenon::models
