// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "tenon/attention.h"
#include "tenon/component.h"
#include "tenon/device.h"

namespace tenon::attention {

// Paged attention on CUDA, plain: what the device interface's second implementation needs to run a
// model.
class CudaAttention final : public Component, public Attention {
 public:
  explicit CudaAttention(const CreateArgs& args);  // throws std::runtime_error
  ~CudaAttention();

  void* Query(const char* name) noexcept override { return Offer<Attention>(this, name); }
  Status LayOut(const AttentionParams& layer, int32_t max_context, KvLayout* out) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

 private:
  class Layer;

  Host& host_;
  Device& device_;
  DType kv_type_;
  int32_t page_tokens_;
  std::vector<std::unique_ptr<Layer>> ops_;
};

}  // namespace tenon::attention
