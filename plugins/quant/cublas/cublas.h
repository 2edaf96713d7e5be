// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublasLt.h>

#include <memory>
#include <vector>

#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/quant.h"

namespace tenon::quant {

// Linears on CUDA through cuBLASLt: y = x · Wᵀ with f32 sums and outputs. f32 weights multiply in
// f32 (no TF32), f16 and bf16 on the tensor cores with the activations rounded to the same type.
class CublasLinear final : public Component, public Quant {
 public:
  explicit CublasLinear(const CreateArgs& args);  // throws std::runtime_error
  ~CublasLinear();

  void* Query(const char* name) noexcept override { return Offer<Quant>(this, name); }
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

 private:
  class Linear;
  // One stored matrix on the card, in the chosen type.
  void* Upload(const Weight& weight, uint64_t* bytes);
  Status Reserve(const OpSpec& spec) noexcept;

  Host& host_;
  Device& device_;
  DType type_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  uint64_t workspace_bytes_;
  void* rounded_ = nullptr;  // activations of one op in `type_`; ops of a stream follow one another
  uint64_t rounded_bytes_ = 0;
  std::vector<std::unique_ptr<Linear>> ops_;
};

}  // namespace tenon::quant
