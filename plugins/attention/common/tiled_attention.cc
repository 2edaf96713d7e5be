// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/tiled_attention.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>
#include <string>

#include "plugins/attention/common/pieces.h"

namespace tenon::attention {
namespace {

// Query rows of an item: enough to read each tile of K and V from a near cache many times.
constexpr int32_t kItemRows = 48;

int32_t BlocksFor(int32_t slots) {
  return slots / cpu::kKvBlockSlots + (slots % cpu::kKvBlockSlots != 0 ? 1 : 0);
}

cpu::KvBlock BlockOf(const AttentionParams& layer, DType kv_type) {
  return {kv_type, layer.head_dim, layer.value_dim};
}

uint64_t PageBytes(const AttentionParams& layer, DType kv_type, int32_t blocks) {
  const int64_t bytes = BlockOf(layer, kv_type).bytes() * layer.kv_heads * blocks;
  return (static_cast<uint64_t>(bytes) + 63) / 64 * 64;
}

// The level that the device says it uses, or the best one here.
cpu::Isa IsaOf(const Device& device) {
  const std::string name(std::string_view(device.Info().isa));
  const cpu::IsaChoice choice = cpu::ChooseIsa(name.c_str());
  return choice.status == Status::kOk ? choice.isa : cpu::ActiveIsa();
}

}  // namespace

class TiledAttention::TiledOp final : public Op {
 public:
  TiledOp(const AttentionOperands& operands, DType kv_type, int32_t blocks_in_page,
          const cpu::AttentionKernels& kernels, const Scratch& scratch)
      : x_(operands),
        block_(BlockOf(operands.layer, kv_type)),
        block_bytes_(block_.bytes()),
        page_bytes_(PageBytes(operands.layer, kv_type, blocks_in_page)),
        blocks_in_page_(blocks_in_page),
        group_(operands.layer.heads / operands.layer.kv_heads),
        stride_(block_.value_stride()),
        kernels_(kernels),
        scratch_(scratch) {}

  LaneNeeds Needs() const { return {std::max(kItemRows, group_), stride_}; }

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  static constexpr int32_t kRows = cpu::kAttentionRows;

  int64_t PartFloats() const { return Scratch::kPartHeader + stride_; }
  float* PartOf(const Piece& piece, int32_t tile, int32_t row) const;
  uint8_t* BlockAt(const Batch& batch, const SequenceSpan& span, int32_t kv_head,
                   int32_t block) const;
  void Append(const Batch& batch, const SequenceSpan& span, int32_t j, int32_t kv_head) const;
  void AppendRows(const Batch& batch, const Lane& lane) const;
  void Attend(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const;
  void FindRows(const Batch& batch, const Piece& piece, const Scratch::Lane& own) const;
  void AttendTile(const Batch& batch, const Piece& piece, int32_t tile,
                  const Scratch::Lane& own) const;
  void AttendRows(const Piece& piece, int32_t tile, int32_t first_row, cpu::AttentionTile work,
                  const Scratch::Lane& own) const;
  void KeepParts(const cpu::AttentionTile& work, float* parts) const;
  bool LastToArrive(const Piece& piece) const;
  void MergeParts(const Piece& piece, const Scratch::Lane& own) const;
  void Merge(float max, float sum, const float* part, int32_t row, const Scratch::Lane& own) const;
  void Clear(int32_t rows, const Scratch::Lane& own) const;
  void Finish(const Piece& piece, const Scratch::Lane& own) const;

  const AttentionOperands x_;
  const cpu::KvBlock block_;
  const int64_t block_bytes_;
  const uint64_t page_bytes_;
  const int32_t blocks_in_page_;
  const int32_t group_;   // query heads a KV head
  const int32_t stride_;  // floats of a row of values
  const cpu::AttentionKernels& kernels_;
  const Scratch& scratch_;
};

// Where every sequence has one token (decode), the piece that reads the token's slot also stores
// it, and lanes do not meet; else all tokens are stored first.
void TiledAttention::TiledOp::Run(const Batch& batch, const Lane& lane) noexcept {
  const bool prompts = batch.tokens > batch.sequences;
  if (prompts) {
    AppendRows(batch, lane);
    lane.Meet();
  }
  const PieceShape shape = {x_.layer.kv_heads, group_, std::max(1, kItemRows / group_),
                            x_.layer.window};
  Pieces pieces(batch, shape, lane.count, scratch_.part_floats() / PartFloats());
  const Scratch::Lane own = scratch_.ForLane(lane.index, Needs());
  Piece piece;
  while (pieces.Find(lane.Claim(), &piece)) {
    if (!prompts && piece.end_tile == piece.item_end_tile) {
      Append(batch, *piece.span, 0, piece.kv_head);
    }
    Attend(batch, piece, own);
  }
}

uint8_t* TiledAttention::TiledOp::BlockAt(const Batch& batch, const SequenceSpan& span,
                                          int32_t kv_head, int32_t block) const {
  const int32_t* pages = batch.block_tables + span.first_block;
  const uint64_t page = static_cast<uint64_t>(pages[block / blocks_in_page_]);
  const int64_t inside = int64_t{kv_head} * blocks_in_page_ + block % blocks_in_page_;
  return x_.pages + page * page_bytes_ + inside * block_bytes_;
}

void TiledAttention::TiledOp::Append(const Batch& batch, const SequenceSpan& span, int32_t j,
                                     int32_t kv_head) const {
  const int32_t slot = span.context + j;
  const float* k = x_.k.Row(span.first_token + j) + kv_head * block_.head_dim;
  const float* v = x_.v.Row(span.first_token + j) + kv_head * block_.value_dim;
  kernels_.append(block_, k, v, slot % cpu::kKvBlockSlots,
                  BlockAt(batch, span, kv_head, slot / cpu::kKvBlockSlots));
}

void TiledAttention::TiledOp::AppendRows(const Batch& batch, const Lane& lane) const {
  const RowRange rows = RowsOf(lane, batch.tokens);
  for (int32_t t = rows.begin; t < rows.end; ++t) {
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    for (int32_t g = 0; g < x_.layer.kv_heads; ++g) Append(batch, span, t - span.first_token, g);
  }
}

void TiledAttention::TiledOp::Attend(const Batch& batch, const Piece& piece,
                                     const Scratch::Lane& own) const {
  FindRows(batch, piece, own);
  Clear(piece.tokens * group_, own);
  for (int32_t tile = piece.first_tile; tile < piece.end_tile; ++tile) {
    AttendTile(batch, piece, tile, own);
  }
  if (piece.pieces > 1) {
    if (!LastToArrive(piece)) return;
    MergeParts(piece, own);
  }
  Finish(piece, own);
}

// Row r is token r / group of the item, head r % group of the KV head.
void TiledAttention::TiledOp::FindRows(const Batch& batch, const Piece& piece,
                                       const Scratch::Lane& own) const {
  for (int32_t r = 0; r < piece.tokens * group_; ++r) {
    const int32_t j = piece.first + r / group_;
    own.views[r] = VisibleSlots(batch, *piece.span, j, x_.layer.window);
    own.q[r] = x_.q.Row(piece.span->first_token + j) +
               (piece.kv_head * group_ + r % group_) * block_.head_dim;
  }
}

void TiledAttention::TiledOp::AttendTile(const Batch& batch, const Piece& piece, int32_t tile,
                                         const Scratch::Lane& own) const {
  const int32_t first_block = tile * cpu::kAttentionTileBlocks;
  const int32_t slots = piece.span->context + piece.span->tokens;
  const int32_t blocks = std::min(cpu::kAttentionTileBlocks, BlocksFor(slots) - first_block);
  const int32_t oldest =
      std::min_element(own.views, own.views + piece.tokens * group_,
                       [](const auto& a, const auto& b) { return a.begin < b.begin; })
          ->begin;
  const uint8_t* addresses[cpu::kAttentionTileBlocks] = {};
  for (int32_t b = std::max(0, oldest / cpu::kKvBlockSlots - first_block); b < blocks; ++b) {
    addresses[b] = BlockAt(batch, *piece.span, piece.kv_head, first_block + b);
  }
  cpu::AttentionTile work{};
  work.block = block_;
  work.scale = x_.layer.scale;
  work.soft_cap = x_.layer.soft_cap;
  work.blocks = addresses;
  work.scores = own.scores;
  for (int32_t r = 0; r < piece.tokens * group_; r += kRows) {
    AttendRows(piece, tile, r, work, own);
  }
}

// Up to kRows rows from first_row on. A tile that none of them sees leaves them as they are, which
// is also what merging the tile would do.
void TiledAttention::TiledOp::AttendRows(const Piece& piece, int32_t tile, int32_t first_row,
                                         cpu::AttentionTile work, const Scratch::Lane& own) const {
  const int32_t first_slot = tile * cpu::kAttentionTileSlots;
  const bool split = piece.pieces > 1;
  cpu::RowView views[kRows];
  float max[kRows], sum[kRows];
  work.rows = std::min(kRows, piece.tokens * group_ - first_row);
  work.begin = cpu::kAttentionTileSlots;
  work.end = 0;
  for (int32_t r = 0; r < work.rows; ++r) {
    views[r] = own.views[first_row + r];
    views[r].begin -= first_slot;
    views[r].end -= first_slot;
    views[r].hidden_first -= first_slot;
    max[r] = -INFINITY;
    sum[r] = 0;
    work.begin = std::min(work.begin, std::max(0, views[r].begin));
    work.end = std::max(work.end, std::min(cpu::kAttentionTileSlots, views[r].end));
  }
  float* parts = split ? PartOf(piece, tile, first_row) : nullptr;
  work.q = own.q + first_row;
  work.views = views;
  work.part = split ? parts + Scratch::kPartHeader : own.part;
  work.part_stride = split ? PartFloats() : stride_;
  work.max = max;
  work.sum = sum;
  if (work.begin < work.end) kernels_.attend(work);
  if (split) return KeepParts(work, parts);
  for (int32_t r = 0; r < work.rows; ++r) {
    Merge(max[r], sum[r], own.part + int64_t{r} * stride_, first_row + r, own);
  }
}

float* TiledAttention::TiledOp::PartOf(const Piece& piece, int32_t tile, int32_t row) const {
  const int64_t rows = int64_t{piece.tokens} * group_;
  const int64_t part = piece.first_part + (tile - piece.item_first_tile) * rows + row;
  return scratch_.parts() + part * PartFloats();
}

void TiledAttention::TiledOp::KeepParts(const cpu::AttentionTile& work, float* parts) const {
  for (int32_t r = 0; r < work.rows; ++r) {
    parts[r * PartFloats()] = work.max[r];
    parts[r * PartFloats() + 1] = work.sum[r];
  }
}

// The lane that ends an item's last piece merges all of them, so that nobody waits.
bool TiledAttention::TiledOp::LastToArrive(const Piece& piece) const {
  int32_t* arrivals = scratch_.arrivals() + piece.item;
  if (__atomic_add_fetch(arrivals, 1, __ATOMIC_ACQ_REL) < piece.pieces) return false;
  __atomic_store_n(arrivals, 0, __ATOMIC_RELAXED);
  return true;
}

void TiledAttention::TiledOp::MergeParts(const Piece& piece, const Scratch::Lane& own) const {
  for (int32_t tile = piece.item_first_tile; tile < piece.item_end_tile; ++tile) {
    for (int32_t r = 0; r < piece.tokens * group_; ++r) {
      const float* part = PartOf(piece, tile, r);
      Merge(part[0], part[1], part + Scratch::kPartHeader, r, own);
    }
  }
}

void TiledAttention::TiledOp::Merge(float max, float sum, const float* part, int32_t row,
                                    const Scratch::Lane& own) const {
  cpu::AttentionRow running = {own.max[row], own.sum[row], own.values + int64_t{row} * stride_};
  kernels_.merge(max, sum, part, stride_, &running);
  own.max[row] = running.max;
  own.sum[row] = running.sum;
}

void TiledAttention::TiledOp::Clear(int32_t rows, const Scratch::Lane& own) const {
  std::fill_n(own.max, rows, -INFINITY);
  std::fill_n(own.sum, rows, 0.0f);
  std::fill_n(own.values, int64_t{rows} * stride_, 0.0f);
}

void TiledAttention::TiledOp::Finish(const Piece& piece, const Scratch::Lane& own) const {
  for (int32_t r = 0; r < piece.tokens * group_; ++r) {
    const int32_t head = piece.kv_head * group_ + r % group_;
    float* out =
        x_.out.Row(piece.span->first_token + piece.first + r / group_) + head * block_.value_dim;
    const cpu::AttentionRow row = {own.max[r], own.sum[r], own.values + int64_t{r} * stride_};
    kernels_.finish(row, x_.sinks == nullptr ? nullptr : x_.sinks + head, block_.value_dim, out);
  }
}

TiledAttention::TiledAttention(const CreateArgs& args, int32_t page_tokens)
    : host_(*args.host),
      device_(args.device),
      kv_type_(KvTypeOf(args.options)),
      page_tokens_(page_tokens) {
  if (page_tokens % cpu::kKvBlockSlots != 0) {
    throw std::invalid_argument("page_tokens is " + std::to_string(page_tokens) +
                                "; a multiple of 16 is needed");
  }
}

TiledAttention::~TiledAttention() = default;

void* TiledAttention::Query(const char* interface_name) noexcept {
  return Offer<Attention>(this, interface_name);
}

int32_t TiledAttention::BlocksInPage() const {
  return BlocksFor(page_tokens_ > 0 ? page_tokens_ : max_context_);
}

Status TiledAttention::LayOut(const AttentionParams& layer, int32_t max_context,
                              KvLayout* out) noexcept {
  if (Status s = CheckLayer(host_, layer); s != Status::kOk) return s;
  if (max_context < 1) {
    return host_.Fail(Status::kInvalid, "the longest context must have at least one slot");
  }
  max_context_ = max_context;
  out->page_tokens = page_tokens_ > 0 ? page_tokens_ : max_context;
  out->page_bytes = PageBytes(layer, kv_type_, BlocksInPage());
  return Status::kOk;
}

Status TiledAttention::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  AttentionOperands operands;
  if (Status s = CheckDevice(host_, device_); s != Status::kOk) return s;
  if (Status s = ReadSpec(host_, spec, &operands); s != Status::kOk) return s;
  if (max_context_ == 0) {
    return host_.Fail(Status::kInvalid, "attention was planned before its pages were laid out");
  }
  const uint64_t page_bytes = PageBytes(operands.layer, kv_type_, BlocksInPage());
  if (Status s = CheckPages(host_, spec, page_bytes); s != Status::kOk) return s;
  try {
    auto op = std::make_unique<TiledOp>(operands, kv_type_, BlocksInPage(),
                                        cpu::AttentionKernelsFor(IsaOf(*device_)), scratch_);
    uint64_t bytes = 0;
    if (scratch_.Reserve(device_, op->Needs(), &bytes) != Status::kOk) {
      return host_.Fail(Status::kOutOfMemory, "no memory for the working buffers of attention");
    }
    ops_.push_back(std::move(op));
    *out = {ops_.back().get(), Split::kAny, 0, bytes};
    return Status::kOk;
  } catch (const std::bad_alloc&) {
    return host_.Fail(Status::kOutOfMemory, "no memory to plan attention");
  }
}

}  // namespace tenon::attention
