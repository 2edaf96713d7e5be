// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/attention_stand.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tenon/testing/numbers.h"

namespace tenon::testing {
namespace {

constexpr int32_t kQ = 1, kK = 2, kV = 3, kSink = 4, kQRope = 5, kKRope = 6;
constexpr int32_t kGap = 16;            // columns between rows, which nobody may write
constexpr float kUntouched = 12345.5f;  // what stands there
constexpr uint8_t kStale = 0x7b;        // bytes of unwritten pages: large numbers in every type

float* RowOf(const Buffer& buffer, int32_t row) {
  return reinterpret_cast<float*>(static_cast<uint8_t*>(buffer.data) + row * buffer.row_bytes);
}

}  // namespace

AttentionStand::AttentionStand(Attention* attention, KitDevice& device, const AttentionSetup& setup)
    : attention_(attention), device_(device), setup_(setup) {
  status_ = Status::kInternal;
  if (attention == nullptr) return;
  if (setup_.kind != AttentionKind::kBidirectional && !MakePages()) return;
  if (!MakeOperands()) return;
  PlanOp();
}

bool AttentionStand::MakePages() {
  AttentionParams stored = setup_.layer;
  if (setup_.kind == AttentionKind::kLatent) stored.value_dim = 0;
  status_ = attention_->LayOut(stored, setup_.max_context, &layout_);
  if (status_ != Status::kOk) return false;
  status_ = Status::kInternal;
  if (layout_.page_tokens < 1 || layout_.page_bytes == 0 || layout_.page_bytes > (1u << 30)) {
    return false;
  }
  const int32_t each = (setup_.max_context + layout_.page_tokens - 1) / layout_.page_tokens;
  const int32_t pages = each * setup_.max_sequences;
  pages_bytes_ = layout_.page_bytes * static_cast<uint64_t>(pages);
  pages_ = static_cast<uint8_t*>(device_.Keep(pages_bytes_));
  if (pages_ == nullptr) return false;
  std::memset(pages_, kStale, pages_bytes_);
  for (int32_t i = 0; i < pages; ++i) order_.push_back(i);
  std::shuffle(order_.begin(), order_.end(), std::mt19937_64(setup_.seed));
  free_pages_ = order_;
  return true;
}

Buffer AttentionStand::MakeBuffer(int32_t columns) {
  const int32_t stride = columns + kGap;
  const uint64_t values = static_cast<uint64_t>(setup_.max_tokens) * static_cast<uint64_t>(stride);
  auto* data = static_cast<float*>(device_.Keep(values * 4));
  if (data != nullptr) std::fill_n(data, values, kUntouched);
  return {data, DType::kF32, RowSet::kTokens, setup_.max_tokens, columns, int64_t{4} * stride};
}

bool AttentionStand::MakeOperands() {
  const AttentionParams& p = setup_.layer;
  if (setup_.kind == AttentionKind::kLatent) {
    const int32_t rope_dim = p.head_dim - p.value_dim;
    operands_ = {{kQ, p.heads * p.value_dim, {}},
                 {kQRope, p.heads * rope_dim, {}},
                 {kK, p.value_dim, {}},
                 {kKRope, rope_dim, {}}};
  } else {
    operands_ = {{kQ, p.heads * p.head_dim, {}},
                 {kK, p.kv_heads * p.head_dim, {}},
                 {kV, p.kv_heads * p.value_dim, {}}};
  }
  bool made = true;
  for (Operand& operand : operands_) {
    operand.buffer = MakeBuffer(operand.columns);
    made = made && operand.buffer.data != nullptr;
  }
  out_ = MakeBuffer(p.heads * p.value_dim);
  sinks_ = static_cast<float*>(device_.Keep(static_cast<uint64_t>(std::max(p.heads, 1)) * 4));
  for (int32_t h = 0; sinks_ != nullptr && h < p.heads; ++h) {
    sinks_[h] = 2 * NumberAt(setup_.seed, kSink, 0, static_cast<uint64_t>(h));
  }
  return made && out_.data != nullptr && sinks_ != nullptr;
}

void AttentionStand::PlanOp() {
  const AttentionParams& p = setup_.layer;
  const LatentAttentionParams latent = {p.layer, p.heads, p.value_dim, p.head_dim - p.value_dim,
                                        p.scale};
  const BidirectionalAttentionParams both = {p.heads, p.kv_heads, p.head_dim, p.scale};
  std::vector<Buffer> inputs;
  for (const Operand& operand : operands_) inputs.push_back(operand.buffer);
  const Weight sinks = {"sinks", {DType::kF32, sinks_, 1, p.heads}, int64_t{4} * p.heads};
  OpSpec spec = {kAttention,
                 "layers.0.attention",
                 {inputs.data(), inputs.size()},
                 {&out_, 1},
                 {&sinks, p.has_sinks},
                 &p,
                 sizeof(p),
                 pages_,
                 pages_bytes_};
  if (setup_.kind == AttentionKind::kLatent) {
    spec.kind = kLatentAttention;
    spec.params = &latent;
    spec.params_bytes = sizeof(latent);
  } else if (setup_.kind == AttentionKind::kBidirectional) {
    spec.kind = kBidirectionalAttention;
    spec.params = &both;
    spec.params_bytes = sizeof(both);
  }
  status_ = attention_->Plan(spec, &planned_);
  if (status_ == Status::kOk && planned_.op == nullptr) status_ = Status::kInternal;
}

float AttentionStand::Number(int32_t what, int32_t sequence, int32_t slot, int32_t column) const {
  const auto as = [](int32_t i) { return static_cast<uint64_t>(i); };
  return 1.7f * NumberAt(setup_.seed + as(what), as(sequence), as(slot), as(column));
}

// K or V as its pages keep it; a sequence that shares its parent's first pages has its numbers.
double AttentionStand::Stored(int32_t what, int32_t sequence, int32_t slot, int32_t column) const {
  auto found = sequences_.find(sequence);
  while (found != sequences_.end() && slot < found->second.shared) {
    sequence = found->second.parent;
    found = sequences_.find(sequence);
  }
  const DType type =
      setup_.kind == AttentionKind::kBidirectional ? DType::kF32 : TypeNamed(setup_.kv_type);
  return RoundTo(type, Number(what, sequence, slot, column));
}

void AttentionStand::FillToken(int32_t row, int32_t sequence, int32_t slot) {
  for (const Operand& operand : operands_) {
    float* to = RowOf(operand.buffer, row);
    for (int32_t c = 0; c < operand.columns; ++c) to[c] = Number(operand.what, sequence, slot, c);
  }
}

void AttentionStand::AddPart(const AttentionPart& part) {
  Sequence& sequence = sequences_[part.sequence];
  const int32_t slots = sequence.context + part.tokens;
  while (pages_ != nullptr && !free_pages_.empty() &&
         static_cast<int32_t>(sequence.pages.size()) * layout_.page_tokens < slots) {
    sequence.pages.push_back(free_pages_.back());
    free_pages_.pop_back();
  }
  const int32_t first = static_cast<int32_t>(positions_.size());
  spans_.push_back({first, part.tokens, sequence.context, static_cast<int32_t>(tables_.size()),
                    static_cast<int32_t>(sequence.pages.size()), -1});
  tables_.insert(tables_.end(), sequence.pages.begin(), sequence.pages.end());
  for (int32_t j = 0; j < part.tokens; ++j) {
    const size_t at = static_cast<size_t>(j);
    FillToken(first + j, part.sequence, sequence.context + j);
    positions_.push_back(sequence.context + (part.tree.empty() ? j : part.depths[at]));
    token_sequence_.push_back(static_cast<int32_t>(spans_.size()) - 1);
    const uint64_t chain = j >= 63 ? ~uint64_t{0} : (uint64_t{2} << j) - 1;
    tree_.push_back(part.tree.empty() ? chain : part.tree[at]);
  }
  has_tree_ = has_tree_ || !part.tree.empty();
}

std::string AttentionStand::Run(const AttentionStep& step) {
  for (auto* list : {&positions_, &token_sequence_, &tables_}) list->clear();
  tree_.clear();
  spans_.clear();
  has_tree_ = false;
  for (const AttentionPart& part : step) AddPart(part);
  token_ids_.assign(positions_.size(), 0);
  batch_ = {static_cast<int32_t>(positions_.size()),
            static_cast<int32_t>(spans_.size()),
            0,
            token_ids_.data(),
            positions_.data(),
            token_sequence_.data(),
            spans_.data(),
            tables_.data(),
            nullptr,
            has_tree_ ? tree_.data() : nullptr,
            spans_.data()};
  const Step steps[] = {{planned_.op, 1}};
  if (device_.Run({steps, 1}, batch_, nullptr) != Status::kOk) return "the device's Run failed";
  last_bytes_ = 0;
  last_products_ = 0;
  std::string wrong;
  for (size_t i = 0; i < step.size(); ++i) {
    const std::string here = Collect(step[i], spans_[i]);
    if (wrong.empty()) wrong = here;
    sequences_[step[i].sequence].context += step[i].tokens;
  }
  return wrong;
}

std::vector<int32_t> AttentionStand::Visible(const AttentionPart& part, const SequenceSpan& span,
                                             int32_t j) const {
  std::vector<int32_t> slots;
  const size_t row = static_cast<size_t>(span.first_token + j);
  const bool both = setup_.kind == AttentionKind::kBidirectional;
  const int32_t window = setup_.layer.window;
  for (int32_t slot = 0; slot < span.context + part.tokens; ++slot) {
    const int32_t own = slot - span.context;
    int32_t position = slot;
    if (own >= 0) {
      if (!both && (own > 63 || j > 63 ? own > j : (tree_[row] >> own & 1) == 0)) continue;
      position = positions_[static_cast<size_t>(span.first_token + own)];
    }
    if (window == 0 || positions_[row] - position < window) slots.push_back(slot);
  }
  return slots;
}

std::string AttentionStand::Collect(const AttentionPart& part, const SequenceSpan& span) {
  const AttentionParams& p = setup_.layer;
  std::string wrong;
  for (int32_t j = 0; j < part.tokens; ++j) {
    const float* row = RowOf(out_, span.first_token + j);
    const int32_t slot = span.context + j;
    const std::vector<int32_t> visible = Visible(part, span, j);
    const std::vector<double> expected = Expected(part.sequence, slot, visible);
    double greatest = 0, difference = 0;
    for (size_t c = 0; c < expected.size(); ++c) {
      greatest = std::max(greatest, std::abs(expected[c]));
      const double off = std::abs(static_cast<double>(row[c]) - expected[c]);
      difference = off <= difference ? difference : std::isnan(off) ? INFINITY : off;
    }
    worst_ = std::max(worst_, greatest > 0 ? difference / greatest : difference);
    for (int32_t c = 0; c < kGap; ++c) {
      if (row[static_cast<int32_t>(expected.size()) + c] != kUntouched) {
        wrong = "wrote behind the columns of its output";
      }
    }
    rows_[{part.sequence, slot}].assign(row, row + expected.size());
    last_products_ += static_cast<double>(visible.size()) * p.heads * (p.head_dim + p.value_dim);
  }
  if (layout_.page_tokens > 0) {
    last_bytes_ += layout_.page_bytes * static_cast<uint64_t>(span.context + part.tokens) /
                   static_cast<uint64_t>(layout_.page_tokens);
  }
  return wrong;
}

std::vector<double> AttentionStand::Expected(int32_t sequence, int32_t slot,
                                             const std::vector<int32_t>& visible) const {
  const AttentionParams& p = setup_.layer;
  const bool latent = setup_.kind == AttentionKind::kLatent;
  const int32_t split = latent ? p.value_dim : p.head_dim;  // columns of K before k_rope
  std::vector<double> out(static_cast<size_t>(p.heads) * static_cast<size_t>(p.value_dim));
  for (int32_t h = 0; h < p.heads; ++h) {
    const int32_t g = h * p.kv_heads / p.heads;
    std::vector<double> s;
    double highest = p.has_sinks != 0 ? static_cast<double>(sinks_[h])
                                      : -std::numeric_limits<double>::infinity();
    for (const int32_t j : visible) {
      double dot = 0;
      for (int32_t c = 0; c < p.head_dim; ++c) {
        const bool rope = c >= split;
        const double q = rope ? Number(kQRope, sequence, slot, h * (p.head_dim - split) + c - split)
                              : Number(kQ, sequence, slot, h * split + c);
        dot += q * (rope ? Stored(kKRope, sequence, j, c - split)
                         : Stored(kK, sequence, j, g * split + c));
      }
      dot *= static_cast<double>(p.scale);
      if (p.soft_cap > 0) {
        const double cap = static_cast<double>(p.soft_cap);
        dot = cap * std::tanh(dot / cap);
      }
      s.push_back(dot);
      highest = std::max(highest, dot);
    }
    double sum = p.has_sinks != 0 ? std::exp(static_cast<double>(sinks_[h]) - highest) : 0;
    for (double& x : s) sum += x = std::exp(x - highest);
    for (size_t i = 0; i < visible.size(); ++i) {
      for (int32_t c = 0; c < p.value_dim; ++c) {
        const double v = latent ? Stored(kK, sequence, visible[i], c)
                                : Stored(kV, sequence, visible[i], g * p.value_dim + c);
        out[static_cast<size_t>(h * p.value_dim + c)] += s[i] / sum * v;
      }
    }
  }
  return out;
}

void AttentionStand::RunAgainAlone() {
  alignas(64) int64_t next_piece = 0;
  int32_t failure = 0;
  planned_.op->Run(batch_, {0, 1, nullptr, &next_piece, nullptr, nullptr, &failure});
}

int32_t AttentionStand::Share(int32_t parent, int32_t child, int32_t pages) {
  const Sequence& from = sequences_[parent];
  const size_t count = std::min(static_cast<size_t>(pages), from.pages.size());
  Sequence to;
  to.pages.assign(from.pages.begin(), from.pages.begin() + static_cast<int64_t>(count));
  to.parent = parent;
  to.context = to.shared = static_cast<int32_t>(count) * layout_.page_tokens;
  const int32_t slots = to.context;
  sequences_[child] = std::move(to);
  return slots;
}

void AttentionStand::Reset() {
  sequences_.clear();
  rows_.clear();
  free_pages_ = order_;
}

}  // namespace tenon::testing
