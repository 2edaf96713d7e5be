// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>
#include <string_view>

namespace first {
namespace {

float* RowOf(const tenon::Buffer& buffer, int32_t row) {
  return reinterpret_cast<float*>(static_cast<uint8_t*>(buffer.data) + row * buffer.row_bytes);
}

float DotProduct(const float* a, const float* b, int32_t count) {
  float sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// One sequence's K and V: [max_context, kv_heads * head_dim] and, behind it, [max_context, kv_heads
// * value_dim].
uint64_t PageFloats(const tenon::AttentionParams& p, int32_t max_context) {
  return static_cast<uint64_t>(max_context) * static_cast<uint64_t>(p.kv_heads) *
         static_cast<uint64_t>(p.head_dim + p.value_dim);
}

}  // namespace

class SampleOp final : public tenon::Op {
 public:
  // `scores` is [lanes, max_context], of `device`; the op frees it.
  SampleOp(const tenon::OpSpec& spec, int32_t max_context, tenon::Device* device, float* scores)
      : p_(tenon::ParamsOf<tenon::AttentionParams>(spec)),
        q_(spec.inputs[0]),
        k_(spec.inputs[1]),
        v_(spec.inputs[2]),
        out_(spec.outputs[0]),
        pages_(static_cast<float*>(spec.state)),
        max_context_(max_context),
        device_(device),
        scores_(scores) {}
  ~SampleOp() { device_->Free(scores_); }
  SampleOp(const SampleOp&) = delete;
  SampleOp& operator=(const SampleOp&) = delete;

  // First all lanes store, then all attend: a token may see one that another lane stored.
  void Run(const tenon::Batch& batch, const tenon::Lane& lane) noexcept override {
    const tenon::RowRange rows = tenon::RowsOf(lane, batch.tokens);
    for (int32_t t = rows.begin; t < rows.end; ++t) Store(batch, t);
    lane.Meet();
    float* scores = scores_ + int64_t{lane.index} * max_context_;
    for (int64_t t = lane.Claim(); t < batch.tokens; t = lane.Claim()) {
      for (int32_t head = 0; head < p_.heads; ++head) {
        Attend(batch, static_cast<int32_t>(t), head, scores);
      }
    }
  }

 private:
  float* Keys(const tenon::Batch& batch, const tenon::SequenceSpan& span) const {
    const auto page = static_cast<uint64_t>(batch.block_tables[span.first_block]);
    return pages_ + page * PageFloats(p_, max_context_);
  }
  float* Values(const tenon::Batch& batch, const tenon::SequenceSpan& span) const {
    return Keys(batch, span) + int64_t{max_context_} * p_.kv_heads * p_.head_dim;
  }

  void Store(const tenon::Batch& batch, int32_t t) const {
    const tenon::SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    const int64_t slot = span.context + t - span.first_token;
    const int32_t k_columns = p_.kv_heads * p_.head_dim;
    const int32_t v_columns = p_.kv_heads * p_.value_dim;
    std::copy_n(RowOf(k_, t), k_columns, Keys(batch, span) + slot * k_columns);
    std::copy_n(RowOf(v_, t), v_columns, Values(batch, span) + slot * v_columns);
  }

  // out = Σ softmax(s)[j] v[j] over the slots from `first` to the token's own, both included.
  void Attend(const tenon::Batch& batch, int32_t t, int32_t head, float* scores) const {
    const tenon::SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    const int32_t last = span.context + t - span.first_token;
    const int32_t first = p_.window > 0 ? std::max(0, last - p_.window + 1) : 0;
    const int32_t kv_head = static_cast<int32_t>(int64_t{head} * p_.kv_heads / p_.heads);
    const float* q = RowOf(q_, t) + head * p_.head_dim;
    const float* k = Keys(batch, span) + kv_head * p_.head_dim;
    const float* v = Values(batch, span) + kv_head * p_.value_dim;
    float highest = -INFINITY;
    for (int32_t j = first; j <= last; ++j) {
      const float* key = k + int64_t{j} * p_.kv_heads * p_.head_dim;
      const float score = p_.scale * DotProduct(q, key, p_.head_dim);
      scores[j] = p_.soft_cap > 0 ? p_.soft_cap * std::tanh(score / p_.soft_cap) : score;
      highest = std::max(highest, scores[j]);
    }
    float* out = RowOf(out_, t) + head * p_.value_dim;
    std::fill_n(out, p_.value_dim, 0.0f);
    float sum = 0;
    for (int32_t j = first; j <= last; ++j) {
      const float weight = std::exp(scores[j] - highest);
      const float* value = v + int64_t{j} * p_.kv_heads * p_.value_dim;
      for (int32_t d = 0; d < p_.value_dim; ++d) out[d] += weight * value[d];
      sum += weight;
    }
    for (int32_t d = 0; d < p_.value_dim; ++d) out[d] /= sum;
  }

  const tenon::AttentionParams p_;
  const tenon::Buffer q_, k_, v_, out_;
  float* const pages_;
  const int32_t max_context_;
  tenon::Device* const device_;
  float* const scores_;
};

Sample::Sample(const tenon::CreateArgs& args) : host_(*args.host), device_(args.device) {}

Sample::~Sample() = default;

tenon::Status Sample::LayOut(const tenon::AttentionParams& layer, int32_t max_context,
                             tenon::KvLayout* out) noexcept {
  if (layer.heads < 1 || layer.kv_heads < 1 || layer.heads % layer.kv_heads != 0 ||
      layer.head_dim < 1 || layer.value_dim < 1 || max_context < 1) {
    return host_.Fail(tenon::Status::kInvalid,
                      "heads, widths and the context must be positive, and the heads a multiple "
                      "of the KV heads");
  }
  max_context_ = max_context;
  *out = {max_context, sizeof(float) * PageFloats(layer, max_context)};
  return tenon::Status::kOk;
}

tenon::Status Sample::CheckOperands(const tenon::OpSpec& spec) noexcept {
  if (!(spec.kind == tenon::Str(tenon::kAttention)) ||
      spec.params_bytes != sizeof(tenon::AttentionParams) || spec.weights.size != 0) {
    return host_.Fail(tenon::Status::kUnsupported,
                      "first.sample makes ops of kind attention only, without sinks");
  }
  const auto& p = tenon::ParamsOf<tenon::AttentionParams>(spec);
  const int32_t columns[] = {p.heads * p.head_dim, p.kv_heads * p.head_dim,
                             p.kv_heads * p.value_dim, p.heads * p.value_dim};
  bool fits = spec.inputs.size == 3 && spec.outputs.size == 1;
  for (uint64_t i = 0; fits && i < 4; ++i) {
    const tenon::Buffer& buffer = i < 3 ? spec.inputs[i] : spec.outputs[0];
    fits = buffer.dtype == tenon::DType::kF32 && buffer.columns == columns[i];
  }
  if (!fits) {
    const std::string name(std::string_view(spec.name));
    return host_.Fail(tenon::Status::kInvalid,
                      std::string_view(name + ": q, k, v and one output in f32 are expected"));
  }
  const uint64_t page_bytes = sizeof(float) * PageFloats(p, max_context_);
  if (max_context_ == 0 || spec.state == nullptr || spec.state_bytes % page_bytes != 0) {
    return host_.Fail(tenon::Status::kInvalid, "the pages are not those that LayOut asked for");
  }
  return tenon::Status::kOk;
}

tenon::Status Sample::Plan(const tenon::OpSpec& spec, tenon::PlannedOp* out) noexcept try {
  if (device_ == nullptr || !(device_->Info().kind == tenon::Str("cpu"))) {
    return host_.Fail(tenon::Status::kUnsupported, "first.sample runs on the device \"cpu\" only");
  }
  if (const tenon::Status s = CheckOperands(spec); s != tenon::Status::kOk) return s;
  const uint64_t bytes = sizeof(float) * static_cast<uint64_t>(max_context_) *
                         static_cast<uint64_t>(std::max(1, device_->Info().lanes));
  ops_.reserve(ops_.size() + 1);
  auto* scores = static_cast<float*>(device_->Allocate(bytes));
  if (scores == nullptr) {
    return host_.Fail(tenon::Status::kOutOfMemory, "no memory for the scores");
  }
  ops_.push_back(std::make_unique<SampleOp>(spec, max_context_, device_, scores));
  *out = {ops_.back().get(), tenon::Split::kAny, 0, bytes};
  return tenon::Status::kOk;
} catch (const std::bad_alloc&) {
  return host_.Fail(tenon::Status::kOutOfMemory, "no memory to plan attention");
}

}  // namespace first
