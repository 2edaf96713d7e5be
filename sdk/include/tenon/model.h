// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/program.h"
#include "tenon/result.h"

namespace tenon {

struct ModelInfo {
  std::string architecture;  // "llama"
  std::string name;          // for people
  int32_t vocabulary = 0;
  int32_t hidden = 0;
  int32_t layers = 0;
  int32_t max_context = 0;  // tokens that the model was trained for
  bool encoder = false;     // gives embeddings, no logits
  uint64_t parameters = 0;
  uint64_t stored_bytes = 0;  // of weights in the file
};

// What emission leaves: the value that a user of the Program reads.
struct ModelOutputs {
  uint32_t rows = 0;  // f32 [kLogitRows, …]
};

// A model whose weights are open. Lives inside the host binary (not at the plugin boundary). Owns
// the mapped file, which outlives every Program emitted from it. Thread: const methods from any.
class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelInfo& Info() const = 0;

  // Appends the whole computation to an empty Program, from token ids to logits [vocabulary]:
  // embed, layers, gather_rows, final norm, head. kUnsupported for an encoder.
  virtual Result<ModelOutputs> Emit(ProgramEditor& program) const = 0;

  // The same without the head: to the last hidden states [hidden], which embeddings are pooled
  // from.
  virtual Result<ModelOutputs> EmitHidden(ProgramEditor& program) const = 0;
};

}  // namespace tenon
