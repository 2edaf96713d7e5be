// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/tiled_op.h"

#include <algorithm>

namespace tenon::attention {
namespace {

// Query rows of an item: enough to read each tile of K and V from a near cache many times.
constexpr int32_t kItemRows = 48;
// A step of one long sequence may keep parts of all heads for this many tiles.
constexpr int32_t kLatentPartTiles = 64;

cpu::KvBlock BlockOf(const AttentionParams& layer, DType kv_type, bool latent) {
  return {kv_type, layer.head_dim, layer.value_dim, latent};
}

// All heads share a latent row. More of them than an item has rows are cut into equal runs, so that
// lanes can share a single sequence; a number that has no such cut stays whole.
int32_t GroupOf(const AttentionOperands& x) {
  const int32_t heads = x.layer.heads;
  if (!x.latent) return heads / x.layer.kv_heads;
  for (int32_t group = std::min(heads, kItemRows); group > kItemRows / 4; --group) {
    if (heads % group == 0) return group;
  }
  return heads;
}

int32_t BlocksFor(int32_t slots) {
  return slots / cpu::kKvBlockSlots + (slots % cpu::kKvBlockSlots != 0 ? 1 : 0);
}

}  // namespace

uint64_t PageBytes(const AttentionParams& layer, DType kv_type, int32_t blocks) {
  const cpu::KvBlock block = BlockOf(layer, kv_type, layer.value_dim == 0);
  const int64_t bytes = block.bytes() * layer.kv_heads * blocks;
  return (static_cast<uint64_t>(bytes) + 63) / 64 * 64;
}

TiledOp::TiledOp(const AttentionOperands& operands, DType kv_type, int32_t blocks_in_page,
                 const Parts& parts)
    : x_(operands),
      block_(BlockOf(operands.layer, kv_type, operands.latent)),
      block_bytes_(block_.bytes()),
      page_bytes_(PageBytes(operands.Stored(), kv_type, blocks_in_page)),
      blocks_in_page_(blocks_in_page),
      group_(GroupOf(operands)),
      part_floats_(RowTiles::PartFloats(block_)),
      rotation_(parts.rotation),
      kernels_(parts.kernels),
      scratch_(parts.scratch) {}

LaneNeeds TiledOp::Needs(int32_t max_context) const {
  LaneNeeds needs = {std::max(kItemRows, group_), block_.value_stride()};
  if (x_.latent) {
    const int64_t tiles = std::min(kLatentPartTiles, max_context / cpu::kAttentionTileSlots + 1);
    needs.packed_floats = int64_t{needs.rows} * block_.key_stride();
    needs.part_floats = tiles * x_.layer.heads * part_floats_;
  } else if (rotation_.angles != nullptr) {
    needs.packed_floats = int64_t{needs.rows} * block_.head_dim;
  }
  return needs;
}

// Where every sequence has one token (decode) and only one item reads its slot, the piece that does
// also stores it, and lanes do not meet; else all tokens are stored first.
void TiledOp::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t groups = x_.layer.heads / group_;
  const bool store_first = batch.tokens > batch.sequences || groups > x_.layer.kv_heads;
  const Scratch::Lane own = scratch_.ForLane(lane.index, Needs(0));
  if (store_first) {
    AppendRows(batch, lane, own);
    lane.Meet();
  }
  const PieceShape shape = {groups, group_, std::max(1, kItemRows / group_), x_.layer.window};
  Pieces pieces(batch, shape, lane.count, scratch_.part_floats() / part_floats_);
  Piece piece;
  while (pieces.Find(lane.Claim(), &piece)) {
    if (!store_first && piece.end_tile == piece.item_end_tile) {
      Append(batch, *piece.span, 0, piece.kv_head, own);
    }
    Attend(batch, piece, own);
  }
}

uint8_t* TiledOp::BlockAt(const Batch& batch, const SequenceSpan& span, int32_t kv_head,
                          int32_t block) const {
  const int32_t* pages = batch.block_tables + span.first_block;
  const uint64_t page = static_cast<uint64_t>(pages[block / blocks_in_page_]);
  const int64_t head = x_.latent ? 0 : kv_head;
  const int64_t inside = head * blocks_in_page_ + block % blocks_in_page_;
  return x_.pages + page * page_bytes_ + inside * block_bytes_;
}

// Of a latent row, v is the rotated part.
void TiledOp::Append(const Batch& batch, const SequenceSpan& span, int32_t j, int32_t kv_head,
                     const Scratch::Lane& own) const {
  const int32_t slot = span.context + j, token = span.first_token + j;
  const float* k = x_.k.Row(token) + kv_head * block_.head_dim;
  const float* v = x_.v.Row(token) + kv_head * block_.value_dim;
  if (rotation_.angles != nullptr) {
    std::copy_n(k, block_.head_dim, own.packed);
    rotation_.Turn(own.packed, 1, block_.head_dim, own.index, batch.positions[token]);
    k = own.packed;
  }
  kernels_.append(block_, k, v, slot % cpu::kKvBlockSlots,
                  BlockAt(batch, span, kv_head, slot / cpu::kKvBlockSlots));
}

void TiledOp::AppendRows(const Batch& batch, const Lane& lane, const Scratch::Lane& own) const {
  const RowRange rows = RowsOf(lane, batch.tokens);
  for (int32_t t = rows.begin; t < rows.end; ++t) {
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    for (int32_t g = 0; g < x_.layer.kv_heads; ++g) {
      Append(batch, span, t - span.first_token, g, own);
    }
  }
}

void TiledOp::Attend(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const {
  FindRows(batch, piece, own);
  const RowTiles rows(kernels_, block_, x_.layer.scale, x_.layer.soft_cap, own);
  rows.Clear(ItemRows(piece));
  const int32_t oldest =
      std::min_element(own.views, own.views + ItemRows(piece), [](const auto& a, const auto& b) {
        return a.begin < b.begin;
      })->begin;
  // Of a tile, and of the one behind it.
  const uint8_t* blocks[2][cpu::kAttentionTileBlocks];
  FindBlocks(batch, piece, piece.first_tile, oldest, blocks[0]);
  for (int32_t tile = piece.first_tile; tile < piece.end_tile; ++tile) {
    const int32_t at = (tile - piece.first_tile) % 2;
    const bool last = tile + 1 == piece.end_tile;
    if (!last) FindBlocks(batch, piece, tile + 1, oldest, blocks[1 - at]);
    rows.Attend(tile, blocks[at], last ? nullptr : blocks[1 - at], ItemRows(piece),
                piece.pieces > 1 ? PartOf(piece, tile) : nullptr);
  }
  if (piece.pieces > 1) {
    if (!LastToArrive(piece)) return;
    MergeParts(piece, rows);
  }
  Finish(piece, rows);
}

// Row r is token r / group of the item, head r % group of the item's heads.
void TiledOp::FindRows(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const {
  if (rotation_.angles != nullptr) TurnQ(batch, piece, own);
  for (int32_t r = 0; r < ItemRows(piece); ++r) {
    const int32_t j = piece.first + r / group_, token = piece.span->first_token + j;
    const int32_t head = piece.kv_head * group_ + r % group_;
    own.views[r] = VisibleSlots(batch, *piece.span, j, x_.layer.window);
    if (x_.latent) {
      own.q[r] = JoinQ(token, head, own.packed + int64_t{r} * block_.key_stride());
    } else {
      own.q[r] = rotation_.angles != nullptr ? own.packed + int64_t{r} * block_.head_dim
                                             : x_.q.Row(token) + head * block_.head_dim;
    }
  }
}

// The item's rows, packed. Every piece of an item does so for itself: what other lanes read is not
// written.
void TiledOp::TurnQ(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const {
  const int64_t columns = int64_t{group_} * block_.head_dim;
  for (int32_t i = 0; i < piece.tokens; ++i) {
    const int32_t token = piece.span->first_token + piece.first + i;
    float* to = own.packed + i * columns;
    std::copy_n(x_.q.Row(token) + piece.kv_head * columns, columns, to);
    rotation_.Turn(to, group_, block_.head_dim, own.index, batch.positions[token]);
  }
}

// [q_latent | q_rope | 0 …], as wide as a latent row.
const float* TiledOp::JoinQ(int32_t token, int32_t head, float* to) const {
  const int32_t rank = block_.value_dim, rope_dim = x_.rope_dim();
  std::copy_n(x_.q.Row(token) + head * rank, rank, to);
  std::copy_n(x_.q_rope.Row(token) + head * rope_dim, rope_dim, to + rank);
  std::fill(to + block_.head_dim, to + block_.key_stride(), 0.0f);
  return to;
}

// Where the tile's blocks lie: [8], null what no row sees.
void TiledOp::FindBlocks(const Batch& batch, const Piece& piece, int32_t tile, int32_t oldest_slot,
                         const uint8_t** blocks) const {
  const int32_t first_block = tile * cpu::kAttentionTileBlocks;
  const int32_t slots = piece.span->context + piece.span->tokens;
  const int32_t count = std::min(cpu::kAttentionTileBlocks, BlocksFor(slots) - first_block);
  std::fill_n(blocks, cpu::kAttentionTileBlocks, nullptr);
  for (int32_t b = std::max(0, oldest_slot / cpu::kKvBlockSlots - first_block); b < count; ++b) {
    blocks[b] = BlockAt(batch, *piece.span, piece.kv_head, first_block + b);
  }
}

// Of the item's first row; the others' follow.
float* TiledOp::PartOf(const Piece& piece, int32_t tile) const {
  const int64_t before = int64_t{tile - piece.item_first_tile} * ItemRows(piece);
  return scratch_.parts() + (piece.first_part + before) * part_floats_;
}

// The lane that ends an item's last piece merges all of them, so that nobody waits.
bool TiledOp::LastToArrive(const Piece& piece) const {
  int32_t* arrivals = scratch_.arrivals() + piece.item;
  if (__atomic_add_fetch(arrivals, 1, __ATOMIC_ACQ_REL) < piece.pieces) return false;
  __atomic_store_n(arrivals, 0, __ATOMIC_RELAXED);
  return true;
}

void TiledOp::MergeParts(const Piece& piece, const RowTiles& rows) const {
  for (int32_t tile = piece.item_first_tile; tile < piece.item_end_tile; ++tile) {
    const float* parts = PartOf(piece, tile);
    for (int32_t r = 0; r < ItemRows(piece); ++r) rows.MergePart(parts + r * part_floats_, r);
  }
}

void TiledOp::Finish(const Piece& piece, const RowTiles& rows) const {
  for (int32_t r = 0; r < ItemRows(piece); ++r) {
    const int32_t head = piece.kv_head * group_ + r % group_;
    float* out =
        x_.out.Row(piece.span->first_token + piece.first + r / group_) + head * block_.value_dim;
    rows.Finish(r, x_.sinks == nullptr ? nullptr : x_.sinks + head, out);
  }
}

}  // namespace tenon::attention
