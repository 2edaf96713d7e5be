// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/attention.h"
#include "tenon/op.h"

// How one attention op's work is cut into pieces that lanes claim. Pure: every lane computes the
// same pieces from the batch. The cut decides who does what, never what is computed.
namespace tenon::attention {

// Token j of the span's step: the slots it may see, counted from slot 0 of the sequence. In a tree,
// positions tell how far a token is from the slots before the step.
cpu::RowView VisibleSlots(const Batch& batch, const SequenceSpan& span, int32_t j, int32_t window);

struct PieceShape {
  int32_t kv_heads;
  int32_t group;        // query heads a KV head
  int32_t tile_tokens;  // most tokens of one item
  int32_t window;
};

// Some tokens of one sequence and one KV head (an item), against some of the tiles of slots that
// they see. An item of several pieces keeps a part for each row and tile.
struct Piece {
  const SequenceSpan* span;
  int32_t kv_head;
  int32_t first;  // of the span's tokens
  int32_t tokens;
  int32_t first_tile;  // the piece's tiles: [first_tile, end_tile)
  int32_t end_tile;
  int32_t item_first_tile;  // the item's
  int32_t item_end_tile;
  int32_t item;        // number of the item in the step
  int32_t pieces;      // of the item
  int64_t first_part;  // of the item, where it has several pieces; rows * tiles of them
};

class Pieces {
 public:
  // Items are split over their context only where there are fewer than this for each lane.
  static constexpr int32_t kItemsPerLane = 4;

  // Splits no item that would ask for more than `max_parts` parts in all.
  Pieces(const Batch& batch, const PieceShape& shape, int32_t lanes, int64_t max_parts);

  // Piece n; false past the end. REQUIRES: n is above that of the call before.
  bool Find(int64_t n, Piece* out);

 private:
  bool FirstOf(int32_t sequence);
  bool NextItem();
  void ReadItem();

  const Batch& batch_;
  const PieceShape shape_;
  int32_t tiles_per_piece_ = INT32_MAX;
  int32_t sequence_ = 0;
  int64_t first_piece_ = 0;  // number of the current item's first piece
  bool more_;
  Piece current_{};
};

}  // namespace tenon::attention
