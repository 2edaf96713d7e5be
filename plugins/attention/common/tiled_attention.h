// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "kernels/cpu/attention.h"
#include "plugins/attention/common/attention_spec.h"
#include "plugins/attention/common/bidirectional_op.h"
#include "plugins/attention/common/rope_angles.h"
#include "plugins/attention/common/scratch.h"
#include "plugins/attention/common/tiled_op.h"
#include "tenon/attention.h"
#include "tenon/component.h"
#include "tenon/program.h"

namespace tenon::attention {

// Attention over KV blocks of 16 slots (kernels/cpu/attention.h), which lie in pages of any number
// of blocks: the computation that `flash` and `paged` share, bit for bit. A page holds its KV heads
// one after another, each the page's blocks in the order of their slots; of a latent layer, one
// row a slot. Bidirectional ops take no pages. As a pass it takes the rotation of q and k over, so
// that lanes meet once less a layer.
class TiledAttention : public Component, public Attention, public Pass {
 public:
  // page_tokens: a multiple of 16, or 0 for one page a sequence.
  TiledAttention(const CreateArgs& args, int32_t page_tokens);
  ~TiledAttention();
  TiledAttention(const TiledAttention&) = delete;
  TiledAttention& operator=(const TiledAttention&) = delete;

  void* Query(const char* interface_name) noexcept override;
  Status LayOut(const AttentionParams& layer, int32_t max_context, KvLayout* out) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;
  Status Rewrite(ProgramEditor& program) noexcept override;

 private:
  int32_t BlocksInPage() const;
  cpu::Isa Isa() const;
  Status PlanTiled(const OpSpec& spec, const Rotation& rotation, PlannedOp* out);
  Status PlanWithRope(const OpSpec& spec, PlannedOp* out);
  Status PlanBidirectional(const OpSpec& spec, PlannedOp* out);
  // Makes room for what `op` needs, and takes it among `ops`.
  template <typename MadeOp>
  Status Keep(std::unique_ptr<MadeOp> op, const LaneNeeds& needs,
              std::vector<std::unique_ptr<MadeOp>>* ops, PlannedOp* out);

  Host& host_;
  Device* const device_;
  const DType kv_type_;
  const int32_t page_tokens_;
  int32_t max_context_ = 0;  // 0 before LayOut
  Scratch scratch_;
  Rotations rotations_;
  std::vector<std::unique_ptr<TiledOp>> tiled_;
  std::vector<std::unique_ptr<BidirectionalOp>> bidirectional_;
};

}  // namespace tenon::attention
