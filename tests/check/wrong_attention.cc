// SPDX-License-Identifier: Apache-2.0
// Attention components with one fault each, and one without: the formula, over pages of f32.
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tenon/attention.h"
#include "tenon/plugin.h"

namespace {

using namespace tenon;

enum class Fault {
  kNone,
  kIgnoresWindow,
  kReadsFirstPage,  // of every sequence, whatever the block table says
  kForgetsContext,  // sees its own step alone
  kAllocatesInRun,
  kCrashesInPlan,
  kHangsInRun,
  kSharesState,  // the seed of the first op planned is everybody's
  kDependsOnBatch,
};

constexpr int32_t kPage = 16;
int32_t planned_heads = 0;
void* volatile sink;

struct Row {
  const Buffer& buffer;
  float* operator[](int32_t row) const {
    return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
  }
};

template <Fault kFault>
class SlowOp final : public Op {
 public:
  explicit SlowOp(const OpSpec& spec)
      : p_(ParamsOf<AttentionParams>(spec)),
        q_(spec.inputs[0]),
        k_(spec.inputs[1]),
        v_(spec.inputs[2]),
        out_(spec.outputs[0]),
        pages_(static_cast<float*>(spec.state)) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    while (kFault == Fault::kHangsInRun && pages_ != nullptr) sink = this;
    if (kFault == Fault::kAllocatesInRun) {
      sink = std::malloc(64);
      std::free(sink);
    }
    if (lane.index == 0) {
      for (int32_t t = 0; t < batch.tokens; ++t) Store(batch, t);
    }
    lane.Meet();
    const RowRange mine = RowsOf(lane, batch.tokens);
    for (int32_t t = mine.begin; t < mine.end; ++t) {
      for (int32_t h = 0; h < p_.heads; ++h) Attend(batch, t, h);
    }
  }

 private:
  int32_t SlotValues() const { return p_.kv_heads * (p_.head_dim + p_.value_dim); }

  float* Slot(const Batch& batch, const SequenceSpan& span, int32_t slot) const {
    const int32_t at = kFault == Fault::kReadsFirstPage ? 0 : slot / kPage;
    const int32_t page = batch.block_tables[span.first_block + at];
    return pages_ + (int64_t{page} * kPage + slot % kPage) * SlotValues();
  }

  void Store(const Batch& batch, int32_t t) {
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    float* slot = Slot(batch, span, span.context + t - span.first_token);
    for (int32_t c = 0; c < p_.kv_heads * p_.head_dim; ++c) slot[c] = Row{k_}[t][c];
    slot += p_.kv_heads * p_.head_dim;
    for (int32_t c = 0; c < p_.kv_heads * p_.value_dim; ++c) slot[c] = Row{v_}[t][c];
  }

  bool Sees(const SequenceSpan& span, int32_t slot, int32_t own) const {
    if (kFault == Fault::kForgetsContext && slot < span.context) return false;
    return kFault == Fault::kIgnoresWindow || p_.window == 0 || own - slot < p_.window;
  }

  float Score(const float* q, const float* k) const {
    float dot = 0;
    for (int32_t c = 0; c < p_.head_dim; ++c) dot += q[c] * k[c];
    return dot * p_.scale;
  }

  void Attend(const Batch& batch, int32_t t, int32_t h) {
    const int32_t heads = kFault == Fault::kSharesState ? planned_heads : p_.heads;
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    const int32_t own = span.context + t - span.first_token, g = h * p_.kv_heads / heads;
    const float* q = Row{q_}[t] + h * p_.head_dim;
    float* out = Row{out_}[t] + h * p_.value_dim;
    float highest = -INFINITY, sum = 0;
    for (int32_t c = 0; c < p_.value_dim; ++c) out[c] = 0;
    for (int32_t j = 0; j <= own; ++j) {
      if (!Sees(span, j, own)) continue;
      const float* slot = Slot(batch, span, j);
      const float s = Score(q, slot + g * p_.head_dim), next = std::fmax(highest, s);
      const float old = std::exp(highest - next), w = std::exp(s - next);
      const float* v = slot + p_.kv_heads * p_.head_dim + g * p_.value_dim;
      for (int32_t c = 0; c < p_.value_dim; ++c) out[c] = out[c] * old + w * v[c];
      sum = sum * old + w;
      highest = next;
    }
    if (kFault == Fault::kDependsOnBatch)
      sum *= 1 + 1e-6f * static_cast<float>(batch.sequences - 1);
    for (int32_t c = 0; c < p_.value_dim; ++c) out[c] /= sum;
  }

  const AttentionParams p_;
  const Buffer q_, k_, v_, out_;
  float* const pages_;
};

template <Fault kFault>
class Slow final : public Component, public Attention {
 public:
  explicit Slow(const CreateArgs& args) : host_(*args.host) {}
  void* Query(const char* name) noexcept override { return Offer<Attention>(this, name); }

  Status LayOut(const AttentionParams& p, int32_t, KvLayout* out) noexcept override {
    if (p.heads < 1 || p.kv_heads < 1 || p.heads % p.kv_heads != 0) {
      return host_.Fail(Status::kInvalid, "heads must be a multiple of kv_heads");
    }
    const int32_t values = p.kv_heads * (p.head_dim + p.value_dim);
    *out = {kPage, uint64_t{4} * kPage * static_cast<uint64_t>(values)};
    return Status::kOk;
  }
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    if (!(spec.kind == Str(kAttention))) {
      return host_.Fail(Status::kUnsupported, "only attention is made here");
    }
    const AttentionParams& p = ParamsOf<AttentionParams>(spec);
    if (p.soft_cap > 0 || p.has_sinks != 0) {
      return host_.Fail(Status::kUnsupported, "neither soft caps nor sinks are understood");
    }
    if (kFault == Fault::kCrashesInPlan) __builtin_trap();
    planned_heads = p.heads;
    ops_.push_back(std::make_unique<SlowOp<kFault>>(spec));
    *out = {ops_.back().get(), Split::kAny, 0, 0};
    return Status::kOk;
  }

 private:
  Host& host_;
  std::vector<std::unique_ptr<SlowOp<kFault>>> ops_;
};

constexpr OptionInfo kOptions[] = {
    {"kv_type", OptionType::kString, "f32", "How K and V are stored.", 0, 0, "f32"}};

template <Fault kFault>
constexpr ComponentInfo Described(const char* name) {
  return Describe<Slow<kFault>>(
      Family::kAttention, name, "The formula as it stands.", 0,
      Claim(Capability::kDeviceCpu, Capability::kKvF32, Capability::kSlidingWindow), kOptions);
}

constexpr ComponentInfo kRight = Described<Fault::kNone>("acme.right");
constexpr ComponentInfo kIgnoresWindow = Described<Fault::kIgnoresWindow>("acme.ignores_window");
constexpr ComponentInfo kFirstPage = Described<Fault::kReadsFirstPage>("acme.reads_first_page");
constexpr ComponentInfo kForgets = Described<Fault::kForgetsContext>("acme.forgets_context");
constexpr ComponentInfo kAllocates = Described<Fault::kAllocatesInRun>("acme.allocates_in_run");
constexpr ComponentInfo kCrashes = Described<Fault::kCrashesInPlan>("acme.crashes_in_plan");
constexpr ComponentInfo kHangs = Described<Fault::kHangsInRun>("acme.hangs_in_run");
constexpr ComponentInfo kShares = Described<Fault::kSharesState>("acme.shares_state");
constexpr ComponentInfo kDepends = Described<Fault::kDependsOnBatch>("acme.depends_on_batch");

}  // namespace

TENON_PLUGIN("acme.attention.wrong", "1.0.0", "MIT", &kRight, &kIgnoresWindow, &kFirstPage,
             &kForgets, &kAllocates, &kCrashes, &kHangs, &kShares, &kDepends);
