// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/pieces.h"

#include <algorithm>

namespace tenon::attention {
namespace {

constexpr int32_t kTreeTokens = 64;

int32_t CeilDiv(int32_t a, int32_t b) { return a / b + (a % b != 0 ? 1 : 0); }

cpu::RowView TreeSlots(const Batch& batch, const SequenceSpan& span, int32_t j, int32_t window) {
  const int32_t* positions = batch.positions + span.first_token;
  const uint64_t mask = batch.tree_mask[span.first_token + j];
  cpu::RowView view = {0, span.context + span.tokens, span.context, ~mask};
  if (window <= 0) return view;
  const int64_t oldest = int64_t{span.context} + positions[j] - positions[0] - window + 1;
  view.begin = static_cast<int32_t>(std::clamp<int64_t>(oldest, 0, span.context));
  for (int32_t i = 0; i < span.tokens; ++i) {
    if (positions[j] - positions[i] >= window) view.hidden |= uint64_t{1} << i;
  }
  return view;
}

}  // namespace

cpu::RowView VisibleSlots(const Batch& batch, const SequenceSpan& span, int32_t j, int32_t window) {
  if (batch.tree_mask != nullptr && span.tokens <= kTreeTokens) {
    return TreeSlots(batch, span, j, window);
  }
  const int32_t slot = span.context + j;
  return {window > 0 ? std::max(0, slot - window + 1) : 0, slot + 1, 0, 0};
}

Pieces::Pieces(const Batch& batch, const PieceShape& shape, int32_t lanes, int64_t max_parts)
    : batch_(batch), shape_(shape) {
  int64_t items = 0;
  for (int32_t s = 0; s < batch.sequences; ++s) {
    items += int64_t{shape.kv_heads} * CeilDiv(batch.spans[s].tokens, shape.tile_tokens);
  }
  if (lanes > 1 && items < int64_t{kItemsPerLane} * lanes) {
    int32_t tiles = 0;
    int64_t parts = 0;
    for (more_ = FirstOf(0); more_; more_ = NextItem()) {
      const int32_t here = current_.item_end_tile - current_.item_first_tile;
      tiles += here;
      parts += int64_t{here} * current_.tokens * shape_.group;
    }
    if (parts <= max_parts) tiles_per_piece_ = std::max(1, CeilDiv(tiles, kItemsPerLane * lanes));
  }
  current_ = {};
  first_piece_ = 0;
  more_ = FirstOf(0);
}

bool Pieces::Find(int64_t n, Piece* out) {
  while (more_ && n >= first_piece_ + current_.pieces) {
    first_piece_ += current_.pieces;
    more_ = NextItem();
  }
  if (!more_) return false;
  *out = current_;
  const int32_t index = static_cast<int32_t>(n - first_piece_);
  out->first_tile = current_.item_first_tile + index * (current_.pieces > 1 ? tiles_per_piece_ : 0);
  out->end_tile =
      index + 1 < current_.pieces ? out->first_tile + tiles_per_piece_ : current_.item_end_tile;
  return true;
}

// The last tokens of a sequence see the most, and come first: long pieces at the end would leave
// lanes waiting.
bool Pieces::FirstOf(int32_t sequence) {
  if (sequence >= batch_.sequences) return false;
  sequence_ = sequence;
  current_.span = &batch_.spans[sequence];
  current_.kv_head = 0;
  current_.first = (current_.span->tokens - 1) / shape_.tile_tokens * shape_.tile_tokens;
  ReadItem();
  return true;
}

bool Pieces::NextItem() {
  if (current_.pieces > 1) {
    current_.first_part += int64_t{current_.tokens} * shape_.group *
                           (current_.item_end_tile - current_.item_first_tile);
  }
  ++current_.item;
  if (++current_.kv_head < shape_.kv_heads) {
    return true;
  }
  current_.kv_head = 0;
  if (current_.first == 0) return FirstOf(sequence_ + 1);
  current_.first -= shape_.tile_tokens;
  ReadItem();
  return true;
}

// The tiles that some token of the item sees.
void Pieces::ReadItem() {
  const SequenceSpan& span = *current_.span;
  current_.tokens = std::min(shape_.tile_tokens, span.tokens - current_.first);
  int32_t begin = INT32_MAX, end = 0;
  for (int32_t j = current_.first; j < current_.first + current_.tokens; ++j) {
    const cpu::RowView view = VisibleSlots(batch_, span, j, shape_.window);
    begin = std::min(begin, view.begin);
    end = std::max(end, view.end);
  }
  current_.item_first_tile = begin / cpu::kAttentionTileSlots;
  current_.item_end_tile = CeilDiv(end, cpu::kAttentionTileSlots);
  const int32_t tiles = current_.item_end_tile - current_.item_first_tile;
  current_.pieces = std::max(1, CeilDiv(tiles, tiles_per_piece_));
}

}  // namespace tenon::attention
