// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/bidirectional_op.h"

#include <algorithm>

namespace tenon::attention {
namespace {

// Query rows of an item: enough that packing a tile of K and V is little beside its products.
constexpr int32_t kItemRows = 192;

int32_t CeilDiv(int32_t a, int32_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

BidirectionalOp::BidirectionalOp(const BidirectionalOperands& operands,
                                 const cpu::AttentionKernels& kernels, const Scratch& scratch)
    : x_(operands),
      block_{DType::kF32, operands.layer.head_dim, operands.layer.head_dim},
      group_(operands.layer.heads / operands.layer.kv_heads),
      item_tokens_(std::max(1, kItemRows / group_)),
      kernels_(kernels),
      scratch_(scratch) {}

LaneNeeds BidirectionalOp::Needs() const {
  LaneNeeds needs = {item_tokens_ * group_, block_.value_stride()};
  needs.packed_floats = cpu::kAttentionTileBlocks * block_.bytes() / int64_t{sizeof(float)};
  return needs;
}

int64_t BidirectionalOp::ItemsOf(const SequenceSpan& span) const {
  return int64_t{x_.layer.kv_heads} * CeilDiv(span.tokens, item_tokens_);
}

void BidirectionalOp::Run(const Batch& batch, const Lane& lane) noexcept {
  const Scratch::Lane own = scratch_.ForLane(lane.index, Needs());
  int64_t before = 0;  // items of the sequences before
  int32_t sequence = 0;
  for (int64_t n = lane.Claim();; n = lane.Claim()) {
    while (sequence < batch.sequences && n >= before + ItemsOf(batch.spans[sequence])) {
      before += ItemsOf(batch.spans[sequence++]);
    }
    if (sequence == batch.sequences) return;
    Attend(batch.spans[sequence], n - before, own);
  }
}

// Row r is token r / group of the item, head r % group of the KV head.
void BidirectionalOp::Attend(const SequenceSpan& span, int64_t item,
                             const Scratch::Lane& own) const {
  const int32_t kv_head = static_cast<int32_t>(item % x_.layer.kv_heads);
  const int32_t first = static_cast<int32_t>(item / x_.layer.kv_heads) * item_tokens_;
  const int32_t count = std::min(item_tokens_, span.tokens - first) * group_;
  const auto column = [&](int32_t r) { return (kv_head * group_ + r % group_) * block_.head_dim; };
  const auto token = [&](int32_t r) { return span.first_token + first + r / group_; };
  for (int32_t r = 0; r < count; ++r) {
    own.views[r] = {0, span.tokens, 0, 0};
    own.q[r] = x_.q.Row(token(r)) + column(r);
  }
  const RowTiles rows(kernels_, block_, x_.layer.scale, 0, own);
  rows.Clear(count);
  const uint8_t* blocks[cpu::kAttentionTileBlocks];
  for (int32_t b = 0; b < cpu::kAttentionTileBlocks; ++b) {
    blocks[b] = reinterpret_cast<const uint8_t*>(own.packed) + b * block_.bytes();
  }
  for (int32_t tile = 0; tile * cpu::kAttentionTileSlots < span.tokens; ++tile) {
    PackTile(span, kv_head, tile, own.packed);
    rows.Attend(tile, blocks, nullptr, count, nullptr);
  }
  for (int32_t r = 0; r < count; ++r) rows.Finish(r, nullptr, x_.out.Row(token(r)) + column(r));
}

void BidirectionalOp::PackTile(const SequenceSpan& span, int32_t kv_head, int32_t tile,
                               float* to) const {
  const int64_t stride_k = x_.k.row_bytes / int64_t{sizeof(float)};
  const int64_t stride_v = x_.v.row_bytes / int64_t{sizeof(float)};
  const int32_t first = tile * cpu::kAttentionTileSlots;
  const int32_t end = std::min(first + cpu::kAttentionTileSlots, span.tokens);
  for (int32_t slot = first; slot < end; slot += cpu::kKvBlockSlots) {
    const int32_t t = span.first_token + slot, column = kv_head * block_.head_dim;
    kernels_.pack(block_, {x_.k.Row(t) + column, stride_k, x_.v.Row(t) + column, stride_v},
                  std::min(cpu::kKvBlockSlots, end - slot), to);
    to += block_.bytes() / int64_t{sizeof(float)};
  }
}

}  // namespace tenon::attention
