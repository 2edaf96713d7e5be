// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/attention_rig.h"

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/rope.h"

namespace tenon::attention {
namespace {

OptionValue ValueOf(const OptionInfo& info, const std::string& text) {
  OptionValue value;
  value.type = info.type;
  value.text = Str(text.data(), text.size());
  value.boolean = text == "true";
  if (info.type == OptionType::kInt) value.integer = std::atoll(text.c_str());
  if (info.type == OptionType::kFloat) value.number = std::atof(text.c_str());
  return value;
}

Buffer FloatBuffer(std::vector<float>& values, int32_t rows, int32_t columns) {
  // Rows lie further apart than they are wide, as slices of a fused q, k, v do.
  const int32_t stride = columns + 16;
  values.assign(static_cast<size_t>(rows) * stride, 0.0f);
  return {values.data(), DType::kF32, RowSet::kTokens, rows, columns, int64_t{4} * stride};
}

}  // namespace

float RigNumber(RigInput what, int32_t sequence, int32_t slot, int32_t column) {
  uint64_t x = static_cast<uint64_t>(what) * 0x9e3779b97f4a7c15u +
               static_cast<uint64_t>(sequence) * 0xbf58476d1ce4e5b9u +
               static_cast<uint64_t>(slot) * 0x94d049bb133111ebu +
               static_cast<uint64_t>(column) * 0xd6e8feb86659fd93u;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
  x ^= x >> 32;
  return (static_cast<float>(x >> 40) * 0x1p-24f * 2 - 1) * 1.7f;
}

Status RigHost::Fail(Status status, Str text) noexcept {
  failure = std::string(std::string_view(text));
  return status;
}

DeviceInfo RigDevice::Info() const noexcept {
  return {Str(kind_), Str("rig"), Str(isa_), lanes_, uint64_t{1} << 34, uint64_t{1} << 33};
}

void* RigDevice::Allocate(uint64_t bytes) noexcept {
  if (allocations >= allowed) return nullptr;
  ++allocations;
  ++live;
  void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

void RigDevice::Free(void* memory) noexcept {
  if (memory != nullptr) --live;
  std::free(memory);
}

Status RigDevice::Copy(void* to, const void* from, uint64_t bytes, CopyKind) noexcept {
  std::memcpy(to, from, bytes);
  return Status::kOk;
}

Status RigDevice::Run(Span<const Step>, const Batch&, uint64_t*) noexcept {
  return Status::kUnsupported;
}

void RigDevice::ParallelFor(int64_t count, void (*fn)(void*, int64_t) noexcept,
                            void* context) noexcept {
  for (int64_t i = 0; i < count; ++i) fn(context, i);
}

Status RigDevice::Plan(const OpSpec&, PlannedOp*) noexcept { return Status::kUnsupported; }

RigComponent::RigComponent(const PluginInfo& plugin, RigHost* host, Device* device,
                           const std::map<std::string, std::string>& overrides)
    : info_(*plugin.components[0]) {
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < info_.option_count; ++i) {
    const auto found = overrides.find(info_.options[i].name);
    texts.push_back(found != overrides.end() ? found->second : info_.options[i].default_text);
  }
  std::vector<OptionValue> values;
  for (uint32_t i = 0; i < info_.option_count; ++i) {
    values.push_back(ValueOf(info_.options[i], texts[i]));
  }
  CreateArgs args;
  args.host = host;
  args.options = {{info_.options, info_.option_count}, {values.data(), values.size()}};
  args.device = device;
  status_ = info_.create(&args, &component_);
  if (status_ == Status::kOk) attention_ = QueryFor<Attention>(*component_);
}

RigComponent::~RigComponent() {
  if (component_ != nullptr) info_.destroy(component_);
}

RigSession::RigSession(const PluginInfo& plugin, const RigSetup& setup)
    : setup_(setup),
      device_(setup.lanes, setup.isa),
      component_(plugin, &host_, &device_, setup.options) {
  MakeOp();
}

RigSession::~RigSession() { device_.Free(pages_); }

bool RigSession::MakePages() {
  AttentionParams stored = setup_.layer;
  if (setup_.kind == RigKind::kLatent) stored.value_dim = 0;
  const Status status = component_.attention()->LayOut(stored, setup_.max_context, &layout_);
  if (status != Status::kOk) return false;
  const int32_t pages_each = (setup_.max_context + layout_.page_tokens - 1) / layout_.page_tokens;
  const int32_t pages = pages_each * setup_.max_sequences;
  pages_bytes_ = layout_.page_bytes * static_cast<uint64_t>(pages);
  pages_ = static_cast<uint8_t*>(device_.Allocate(pages_bytes_));
  std::memset(pages_, setup_.fill, pages_bytes_);
  for (int32_t i = 0; i < pages; ++i) free_pages_.push_back(i);
  std::shuffle(free_pages_.begin(), free_pages_.end(), std::mt19937(setup_.page_seed));
  return true;
}

void RigSession::MakeOperands() {
  const AttentionParams& p = setup_.layer;
  if (setup_.kind == RigKind::kLatent) {
    const int32_t rope_dim = p.head_dim - p.value_dim;
    operands_ = {{RigInput::kQ, p.heads * p.value_dim, {}},
                 {RigInput::kQRope, p.heads * rope_dim, {}},
                 {RigInput::kK, p.value_dim, {}},
                 {RigInput::kKRope, rope_dim, {}}};
  } else {
    operands_ = {{RigInput::kQ, p.heads * p.head_dim, {}},
                 {RigInput::kK, p.kv_heads * p.head_dim, {}},
                 {RigInput::kV, p.kv_heads * p.value_dim, {}}};
  }
  for (Operand& operand : operands_) {
    inputs_.push_back(FloatBuffer(operand.values, setup_.max_tokens, operand.columns));
  }
}

void RigSession::MakeOp() {
  const AttentionParams& p = setup_.layer;
  const LatentAttentionParams latent = {p.layer, p.heads, p.value_dim, p.head_dim - p.value_dim,
                                        p.scale};
  const BidirectionalAttentionParams bidirectional = {p.heads, p.kv_heads, p.head_dim, p.scale};
  if (component_.attention() == nullptr) return;
  if (setup_.kind != RigKind::kBidirectional && !MakePages()) return;
  MakeOperands();
  const Buffer outputs[] = {FloatBuffer(out_, setup_.max_tokens, p.heads * p.value_dim)};
  for (int32_t h = 0; h < p.heads; ++h) sinks_.push_back(2 * RigNumber(RigInput::kSink, 0, 0, h));
  const Weight sinks[] = {
      {"sinks", {DType::kF32, sinks_.data(), 1, p.heads}, int64_t{4} * p.heads}};
  OpSpec spec;
  spec.kind = kAttention;
  spec.name = "layers.0.attention";
  spec.inputs = {inputs_.data(), inputs_.size()};
  spec.outputs = {outputs, 1};
  spec.weights = {sinks, p.has_sinks};
  spec.params = &p;
  spec.params_bytes = sizeof(p);
  if (setup_.kind == RigKind::kLatent) {
    spec.kind = kLatentAttention;
    spec.params = &latent;
    spec.params_bytes = sizeof(latent);
  } else if (setup_.kind == RigKind::kBidirectional) {
    spec.kind = kBidirectionalAttention;
    spec.params = &bidirectional;
    spec.params_bytes = sizeof(bidirectional);
  }
  RopeAttentionParams turned;
  std::vector<Weight> weights;
  if (setup_.rope && setup_.rope->joined) {
    std::vector<float>& frequencies = setup_.rope->inverse_frequency;
    const int64_t pairs = static_cast<int64_t>(frequencies.size());
    weights.push_back(
        {"inverse_frequency", {DType::kF32, frequencies.data(), 1, pairs}, 4 * pairs});
    weights.insert(weights.end(), spec.weights.begin(), spec.weights.end());
    turned = {p, setup_.rope->params};
    spec.kind = kRopeAttention;
    spec.weights = {weights.data(), weights.size()};
    spec.params = &turned;
    spec.params_bytes = sizeof(turned);
  }
  spec.state = pages_;
  spec.state_bytes = pages_bytes_;
  PlannedOp planned;
  if (component_.attention()->Plan(spec, &planned) == Status::kOk) op_ = planned.op;
}

void RigSession::Run(const std::vector<StepPart>& parts) {
  positions_.clear();
  token_sequence_.clear();
  tables_.clear();
  tree_.clear();
  spans_.clear();
  has_tree_ = false;
  for (const StepPart& part : parts) AddPart(part);
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
  RunOp();
  const AttentionParams& p = setup_.layer;
  const int32_t columns = p.heads * p.value_dim;
  for (size_t i = 0; i < parts.size(); ++i) {
    Sequence& sequence = sequences_[parts[i].sequence];
    for (int32_t j = 0; j < parts[i].tokens; ++j) {
      const float* row = out_.data() + int64_t{spans_[i].first_token + j} * (columns + 16);
      rows_[{parts[i].sequence, sequence.context + j}].assign(row, row + columns);
    }
    sequence.context += parts[i].tokens;
  }
}

void RigSession::AddPart(const StepPart& part) {
  Sequence& sequence = sequences_[part.sequence];
  const int32_t slots = sequence.context + part.tokens;
  while (pages_ != nullptr &&
         static_cast<int32_t>(sequence.pages.size()) * layout_.page_tokens < slots) {
    sequence.pages.push_back(free_pages_.back());
    free_pages_.pop_back();
  }
  const int32_t first = static_cast<int32_t>(positions_.size());
  spans_.push_back({first, part.tokens, sequence.context, static_cast<int32_t>(tables_.size()),
                    static_cast<int32_t>(sequence.pages.size()), -1});
  tables_.insert(tables_.end(), sequence.pages.begin(), sequence.pages.end());
  for (int32_t j = 0; j < part.tokens; ++j) {
    FillToken(first + j, part.sequence, sequence.context + j);
    if (setup_.rope && !setup_.rope->joined) {
      TurnToken(first + j, sequence.context + (part.tree.empty() ? j : part.depths[j]));
    }
    positions_.push_back(sequence.context + (part.tree.empty() ? j : part.depths[j]));
    token_sequence_.push_back(static_cast<int32_t>(spans_.size()) - 1);
    const uint64_t chain = j >= 63 ? ~uint64_t{0} : (uint64_t{2} << j) - 1;
    tree_.push_back(part.tree.empty() ? chain : part.tree[j]);
  }
  has_tree_ = has_tree_ || !part.tree.empty();
}

void RigSession::FillToken(int32_t row, int32_t sequence, int32_t slot) {
  int32_t content = sequence;
  while (slot < sequences_[content].shared_slots) content = sequences_[content].parent;
  for (Operand& operand : operands_) {
    const bool query = operand.what == RigInput::kQ || operand.what == RigInput::kQRope;
    const float scale = query ? setup_.magnitude : 1;
    const int32_t from = query ? sequence : content;
    float* out = operand.values.data() + int64_t{row} * (operand.columns + 16);
    for (int32_t c = 0; c < operand.columns; ++c) {
      out[c] = scale * setup_.number(operand.what, from, slot, c);
    }
  }
}

void RigSession::TurnToken(int32_t row, int32_t position) {
  const cpu::RopeFunctions& rope = cpu::RopeOf(cpu::ChooseIsa(setup_.isa.c_str()).isa);
  const RopeParams& p = setup_.rope->params;
  const int64_t pairs = p.rotary_dim / 2;
  std::vector<float> angles(static_cast<size_t>(2 * pairs));
  rope.angles(setup_.rope->inverse_frequency.data(), pairs, position, p.magnitude, angles.data(),
              angles.data() + pairs);
  const auto rotate = p.pairs == RopePairs::kHalves ? rope.halves : rope.neighbours;
  for (Operand& operand : operands_) {
    if (operand.what == RigInput::kV) continue;
    float* x = operand.values.data() + int64_t{row} * (operand.columns + 16);
    rotate(x, operand.columns / p.head_dim, p.head_dim, pairs, angles.data(),
           angles.data() + pairs);
  }
}

void RigSession::RunAgain() { RunOp(); }

void RigSession::RunOp() {
  alignas(64) int64_t next_piece = 0;
  const int32_t lanes = setup_.lanes;
  if (lanes == 1) {
    op_->Run(batch_, {0, 1, nullptr, &next_piece, nullptr, nullptr});
    return;
  }
  std::barrier<> barrier(lanes);
  const auto meet = [](void* team, int32_t) noexcept {
    static_cast<std::barrier<>*>(team)->arrive_and_wait();
  };
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < lanes; ++i) {
    threads.emplace_back([&, i] {
      op_->Run(batch_, {i, lanes, nullptr, &next_piece, &barrier, meet});
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void RigSession::Share(int32_t parent, int32_t child, int32_t pages) {
  Sequence& to = sequences_[child];
  const Sequence& from = sequences_[parent];
  to.pages.assign(from.pages.begin(), from.pages.begin() + pages);
  to.context = pages * layout_.page_tokens;
  Imitate(parent, child, to.context);
}

void RigSession::Imitate(int32_t parent, int32_t child, int32_t slots) {
  sequences_[child].parent = parent;
  sequences_[child].shared_slots = slots;
}

void RigSession::DropPages(int32_t sequence, int32_t pages) {
  for (int32_t i = 0; i < pages; ++i) {
    const uint64_t page = static_cast<uint64_t>(sequences_[sequence].pages[i]);
    std::memset(pages_ + page * layout_.page_bytes, 0xff, layout_.page_bytes);
  }
}

uint64_t RigSession::KvBytes(int32_t slots) const {
  return layout_.page_bytes / static_cast<uint64_t>(layout_.page_tokens) *
         static_cast<uint64_t>(slots);
}

std::vector<std::string> RigIsas() {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < cpu::kIsaCount; ++i) {
    if (cpu::IsaLevels()[i].available) names.push_back(cpu::IsaLevels()[i].name);
  }
  return names;
}

double RigDistance(const RigSession::Rows& a, const RigSession::Rows& b) {
  double worst = 0;
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<double>::infinity();
  for (const auto& [key, row] : a) {
    const auto other = b.find(key);
    if (other == b.end()) return std::numeric_limits<double>::infinity();
    double greatest = 0, difference = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      if (!std::isfinite(row[i])) return std::numeric_limits<double>::infinity();
      greatest = std::max(greatest, std::abs(double{other->second[i]}));
      difference = std::max(difference, std::abs(double{row[i]} - other->second[i]));
    }
    worst = std::max(worst, greatest > 0 ? difference / greatest : difference);
  }
  return worst;
}

bool RigSameBits(const RigSession::Rows& some, const RigSession::Rows& all) {
  for (const auto& [key, row] : some) {
    const auto other = all.find(key);
    if (other == all.end() || other->second.size() != row.size() ||
        std::memcmp(other->second.data(), row.data(), row.size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return !some.empty();
}

}  // namespace tenon::attention
