// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/attention.h"
#include "plugins/attention/common/attention_spec.h"
#include "plugins/attention/common/pieces.h"
#include "plugins/attention/common/rope_angles.h"
#include "plugins/attention/common/row_tiles.h"
#include "plugins/attention/common/scratch.h"
#include "tenon/op.h"

namespace tenon::attention {

// Bytes of a page of `blocks` blocks for each KV head. `layer` may say value_dim 0: latent rows,
// whose bytes do not depend on how much of them is V.
uint64_t PageBytes(const AttentionParams& layer, DType kv_type, int32_t blocks);

// One layer's kAttention, kRopeAttention or kLatentAttention over pages.
class TiledOp final : public Op {
 public:
  // What the op computes with. `scratch` has room for Needs() when the op runs.
  struct Parts {
    const cpu::AttentionKernels& kernels;
    const Rotation& rotation;  // copied
    const Scratch& scratch;
  };
  TiledOp(const AttentionOperands& operands, DType kv_type, int32_t blocks_in_page,
          const Parts& parts);

  // With contexts of up to max_context slots.
  LaneNeeds Needs(int32_t max_context) const;

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  float* PartOf(const Piece& piece, int32_t tile) const;
  int32_t ItemRows(const Piece& piece) const { return piece.tokens * group_; }
  uint8_t* BlockAt(const Batch& batch, const SequenceSpan& span, int32_t kv_head,
                   int32_t block) const;
  void Append(const Batch& batch, const SequenceSpan& span, int32_t j, int32_t kv_head,
              const Scratch::Lane& own) const;
  void AppendRows(const Batch& batch, const Lane& lane, const Scratch::Lane& own) const;
  void Attend(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const;
  void FindRows(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const;
  const float* JoinQ(int32_t token, int32_t head, float* to) const;
  void TurnQ(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const;
  void FindBlocks(const Batch& batch, const Piece& piece, int32_t tile, int32_t oldest_slot,
                  const uint8_t** blocks) const;
  bool LastToArrive(const Piece& piece) const;
  void MergeParts(const Piece& piece, const RowTiles& rows) const;
  void Finish(const Piece& piece, const RowTiles& rows) const;

  const AttentionOperands x_;
  const cpu::KvBlock block_;
  const int64_t block_bytes_;
  const uint64_t page_bytes_;
  const int32_t blocks_in_page_;
  const int32_t group_;  // query heads of an item: those of a KV head, or some of a latent row
  const int64_t part_floats_;  // of one row's part
  const Rotation rotation_;
  const cpu::AttentionKernels& kernels_;
  const Scratch& scratch_;
};

}  // namespace tenon::attention
