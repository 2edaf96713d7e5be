// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/engine/engine.h"
#include "tenon/attention.h"
#include "tenon/device.h"
#include "tenon/ops.h"
#include "tenon/scheduler.h"

// A model of one integer a token, exact and obvious, for tests of the engine: its attention keeps
// tokens in the KV pages and hashes all that a token may see, so that any page wrongly shared,
// copied, reused or cut changes what is generated. An adapter is what the hash begins with.
namespace tenon::core::testing {

inline constexpr int32_t kVocabulary = 101;
inline constexpr int32_t kAdapters = 3;

inline int32_t HashStep(int32_t hash, int32_t token) { return (hash * 31 + token + 1) % 10007; }

// What greedy decoding continues `tokens` with.
inline int32_t Next(const std::vector<int32_t>& tokens, uint64_t seed = 0, int32_t adapter = -1) {
  int32_t hash = adapter + 1;
  for (const int32_t token : tokens) hash = HashStep(hash, token);
  return static_cast<int32_t>((static_cast<uint64_t>(hash) + seed) % kVocabulary);
}

inline std::vector<int32_t> Expected(std::vector<int32_t> prompt, int32_t tokens, uint64_t seed = 0,
                                     int32_t adapter = -1) {
  std::vector<int32_t> out;
  for (int32_t i = 0; i < tokens; ++i) {
    out.push_back(Next(prompt, seed, adapter));
    prompt.push_back(out.back());
  }
  return out;
}

class FakeOp final : public Op {
 public:
  FakeOp(OpSpec spec, int32_t page_tokens)
      : kind_(std::string_view(spec.kind)), page_(page_tokens) {
    if (!spec.inputs.empty()) in_ = spec.inputs[0];
    out_ = spec.outputs[0];
    state_ = static_cast<float*>(spec.state);
  }

  void Run(const Batch& batch, const Lane&) noexcept override {
    if (kind_ == kEmbed) {
      for (int32_t t = 0; t < batch.tokens; ++t)
        *Row(out_, t) = static_cast<float>(batch.token_ids[t]);
    } else if (kind_ == kAttention) {
      for (int32_t s = 0; s < batch.sequences; ++s) Attend(batch, batch.spans[s]);
    } else if (kind_ == kGatherRows) {
      for (int32_t r = 0; r < batch.logit_rows; ++r)
        *Row(out_, r) = *Row(in_, batch.logit_row_tokens[r]);
    } else {
      for (int32_t r = 0; r < batch.logit_rows; ++r) {
        std::fill_n(Row(out_, r), kVocabulary, 0.0F);
        Row(out_, r)[static_cast<int32_t>(*Row(in_, r)) % kVocabulary] = 1.0F;
      }
    }
  }

 private:
  static float* Row(const Buffer& buffer, int32_t row) {
    return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
  }
  float& Slot(const Batch& batch, const SequenceSpan& span, int32_t slot) {
    return state_[batch.block_tables[span.first_block + slot / page_] * page_ + slot % page_];
  }
  void Attend(const Batch& batch, const SequenceSpan& span) {
    for (int32_t i = 0; i < span.tokens; ++i) {
      Slot(batch, span, span.context + i) = *Row(in_, span.first_token + i);
    }
    for (int32_t i = 0; i < span.tokens; ++i) {
      int32_t hash = span.adapter + 1;
      for (int32_t slot = 0; slot <= span.context + i; ++slot) {
        hash = HashStep(hash, static_cast<int32_t>(Slot(batch, span, slot)));
      }
      *Row(out_, span.first_token + i) = static_cast<float>(hash);
    }
  }

  std::string kind_;
  int32_t page_;
  Buffer in_{}, out_{};
  float* state_ = nullptr;
};

class FakeDevice final : public Device {
 public:
  explicit FakeDevice(int32_t page_tokens) : page_(page_tokens) {}
  ~FakeDevice() = default;

  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    ops_.push_back(std::make_unique<FakeOp>(spec, page_));
    *out = {.op = ops_.back().get(), .split = Split::kAny};
    return Status::kOk;
  }
  DeviceInfo Info() const noexcept override {
    return {"fake", "fake", "none", 1, 1 << 30, 1 << 30};
  }
  void* Allocate(uint64_t bytes) noexcept override { return std::calloc(bytes, 1); }
  void Free(void* memory) noexcept override { std::free(memory); }
  Status Copy(void* to, const void* from, uint64_t bytes, CopyKind) noexcept override {
    std::memcpy(to, from, bytes);
    return Status::kOk;
  }
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept override {
    int64_t pieces = 0;
    for (uint64_t i = 0; nanoseconds != nullptr && i < steps.size; ++i) nanoseconds[i] += 1000;
    for (const Step& step : steps) step.op->Run(batch, {0, 1, nullptr, &pieces, nullptr, nullptr});
    most_tokens = std::max(most_tokens, batch.tokens);
    all_tokens += batch.tokens;
    return fail ? Status::kInternal : Status::kOk;
  }
  void ParallelFor(int64_t count, void (*fn)(void*, int64_t) noexcept,
                   void* context) noexcept override {
    for (int64_t i = 0; i < count; ++i) fn(context, i);
  }

  bool fail = false;
  int32_t most_tokens = 0;
  int64_t all_tokens = 0;

 private:
  int32_t page_;
  std::vector<std::unique_ptr<FakeOp>> ops_;
};

class FakeAttention final : public Attention {
 public:
  FakeAttention(FakeDevice& device, int32_t page_tokens) : device_(device), page_(page_tokens) {}
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    return device_.Plan(spec, out);
  }
  Status LayOut(const AttentionParams&, int32_t, KvLayout* out) noexcept override {
    *out = {page_, static_cast<uint64_t>(page_) * sizeof(float)};
    return Status::kOk;
  }

 private:
  FakeDevice& device_;
  int32_t page_;
};

// First come, first served; all a sequence has open, as far as budget and blocks go; the youngest
// gives way.
class FakeScheduler final : public Scheduler {
 public:
  Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept override {
    int32_t tokens = std::min(view.max_batch_tokens, budget);
    int32_t blocks = view.free_blocks;
    uint64_t end = view.running.size;
    for (uint64_t i = 0; i < end; ++i) {
      const SequenceState& s = view.running[i];
      const int32_t want = std::min(tokens, s.known_tokens - s.computed_tokens + s.draft_tokens);
      if (want <= 0) continue;
      while (BlocksNeeded(s, want, view.block_tokens) > blocks && end > i + 1) {
        --end;
        blocks += view.running[end].blocks - view.running[end].shared_blocks;
        plan->preempted[plan->preempted_count++] = view.running[end].id;
      }
      if (BlocksNeeded(s, want, view.block_tokens) > blocks) continue;
      blocks -= BlocksNeeded(s, want, view.block_tokens);
      tokens -= want;
      plan->grants[plan->grant_count++] = {s.id, want};
    }
    for (const SequenceState& s : view.waiting) {
      if (plan->preempted_count > 0 ||
          view.running.size + plan->grant_count >= 2 * static_cast<uint64_t>(view.max_sequences))
        break;
      if (plan->grant_count >= static_cast<uint32_t>(view.max_sequences)) break;
      const int32_t want = std::min(tokens, s.known_tokens - s.computed_tokens);
      if (want <= 0 || BlocksNeeded(s, want, view.block_tokens) > blocks) break;
      blocks -= BlocksNeeded(s, want, view.block_tokens);
      tokens -= want;
      plan->grants[plan->grant_count++] = {s.id, want};
    }
    return Status::kOk;
  }
  int32_t budget = 1 << 20;
};

// The most likely token, moved on by the seed.
class FakeSampler final : public Sampler {
 public:
  uint64_t ScratchBytes(int32_t) const noexcept override { return 64; }
  int32_t Sample(const DecodePoint& point, Span<float> logits, void*) noexcept override {
    const auto best =
        static_cast<uint64_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    return static_cast<int32_t>((best + point.params->seed) % logits.size);
  }
  void Distribution(const DecodePoint&, Span<float>, void*) noexcept override {}
};

// Right for a while, then wrong: `right` tokens of the truth and one lie.
class FakeDrafter final : public Drafter {
 public:
  int32_t MaxTokens() const noexcept override { return 4; }
  int32_t Propose(const DecodePoint& point, Span<int32_t> drafts) noexcept override {
    std::vector<int32_t> tokens(point.tokens.begin(), point.tokens.end());
    for (uint64_t i = 0; i < drafts.size; ++i) {
      const int32_t truth = Next(tokens, point.params->seed);
      drafts[i] = i < tokens.size() % 4 ? truth : (truth + 1) % kVocabulary;
      tokens.push_back(drafts[i]);
    }
    return static_cast<int32_t>(drafts.size);
  }
};

// All of the above, and a Program over them.
struct FakeEngine {
  FakeEngine(const ProgramLimits& limits, int32_t page_tokens, bool drafts,
             bool shared_pages = true, bool prefix_cache = true, OffloadStore* offload = nullptr)
      : device(page_tokens), attention(device, page_tokens) {
    ProgramList list;
    const auto value = [&](const char* name, RowSet rows, int32_t columns) {
      return list.AddValue({.name = name, .dtype = DType::kF32, .rows = rows, .columns = columns});
    };
    const uint32_t x = value("x", RowSet::kTokens, 1);
    const uint32_t o = value("o", RowSet::kTokens, 1);
    const uint32_t rows = value("rows", RowSet::kLogitRows, 1);
    const uint32_t logits = value("logits", RowSet::kLogitRows, kVocabulary);
    const AttentionParams params{};
    const auto append = [&](const char* kind, Family family, std::vector<Operand> in, Operand out) {
      Node node;
      node.kind = node.name = kind;
      node.family = family;
      node.inputs = {in.data(), in.size()};
      node.outputs = {&out, 1};
      node.params = &params;
      node.params_bytes = family == Family::kAttention ? sizeof(params) : 0;
      list.Insert(list.Count(), node);
    };
    append(kEmbed, Family::kDevice, {}, {x, 0, 1});
    append(kAttention, Family::kAttention, {{x, 0, 1}}, {o, 0, 1});
    append(kGatherRows, Family::kDevice, {{o, 0, 1}}, {rows, 0, 1});
    append("head", Family::kDevice, {{rows, 0, 1}}, {logits, 0, kVocabulary});
    Makers makers;
    makers.device = &device;
    makers.attention = &attention;
    makers.by_family[static_cast<size_t>(Family::kDevice)] = &device;
    makers.by_family[static_cast<size_t>(Family::kAttention)] = &attention;
    auto compiled = Program::Compile(
        list, {logits}, makers, limits, [] { return std::string(); }, nullptr);
    TENON_CHECK(compiled.ok());
    program = std::move(*compiled);
    EngineParts parts;
    parts.program = program.get();
    parts.device = &device;
    parts.scheduler = &scheduler;
    parts.decoding = {{}, &sampler, drafts ? &drafter : nullptr};
    parts.vocabulary = kVocabulary;
    parts.adapters = kAdapters;
    parts.shared_pages = shared_pages;
    parts.prefix_cache = prefix_cache;
    parts.offload = offload;
    parts.audit_steps = 1000;
    engine = std::make_unique<Engine>(parts);
  }

  FakeDevice device;
  FakeAttention attention;
  FakeScheduler scheduler;
  FakeSampler sampler;
  FakeDrafter drafter;
  std::unique_ptr<Program> program;
  std::unique_ptr<Engine> engine;
};

}  // namespace tenon::core::testing
