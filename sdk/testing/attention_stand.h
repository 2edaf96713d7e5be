// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tenon/attention.h"
#include "tenon/testing/stand.h"

// One attention op with its sequences and pages, and the formula that it must follow.
namespace tenon::testing {

enum class AttentionKind : uint8_t { kCausal, kLatent, kBidirectional };

struct AttentionSetup {
  // Latent: one KV head, head_dim is rank + rope_dim, value_dim the rank.
  AttentionKind kind = AttentionKind::kCausal;
  AttentionParams layer = {0, 4, 2, 64, 64, 0.125f, 0, 0.0f, 0};
  std::string kv_type = "f32";  // what K and V are rounded to in the formula
  int32_t max_context = 256;
  int32_t max_tokens = 192;  // in a step
  int32_t max_sequences = 6;
  uint64_t seed = 1;  // of the numbers, and of the order in which pages are handed out
};

// One sequence's part of a step. With `tree`, one mask a token and its depth.
struct AttentionPart {
  int32_t sequence;
  int32_t tokens;
  std::vector<uint64_t> tree{};
  std::vector<int32_t> depths{};
};
using AttentionStep = std::vector<AttentionPart>;

// A token's q, k and v depend on its sequence and slot alone, so that steps cut otherwise must give
// the same rows. Pages that nobody wrote hold large numbers.
class AttentionStand {
 public:
  // Plans the op; its memory lives as long as `device`. REQUIRES: `attention` and `device` outlive
  // it.
  AttentionStand(Attention* attention, KitDevice& device, const AttentionSetup& setup);
  AttentionStand(const AttentionStand&) = delete;
  AttentionStand& operator=(const AttentionStand&) = delete;

  Status status() const { return status_; }  // of LayOut and Plan
  // Runs a step; what is broken besides the numbers ("" where nothing is).
  std::string Run(const AttentionStep& step);
  // Runs the op over the batch of the last step again, on this thread as the only lane.
  void RunAgainAlone();
  // Makes `child` begin with whole pages of `parent`, shared and not copied; how many slots.
  int32_t Share(int32_t parent, int32_t child, int32_t pages);
  // Forgets all sequences; pages keep their contents.
  void Reset();

  using Rows = std::map<std::pair<int32_t, int32_t>, std::vector<float>>;
  const Rows& rows() const { return rows_; }  // by sequence and slot
  double worst() const { return worst_; }     // greatest error so far, relative to its row
  const KvLayout& layout() const { return layout_; }
  uint64_t last_bytes() const { return last_bytes_; }  // K and V that the last step had to read
  double last_products() const { return last_products_; }
  Op* op() const { return planned_.op; }
  const Batch& batch() const { return batch_; }

 private:
  struct Sequence {
    int32_t context = 0;
    std::vector<int32_t> pages;
    int32_t parent = -1;
    int32_t shared = 0;  // slots that are the parent's
  };
  struct Operand {
    int32_t what;
    int32_t columns;
    Buffer buffer;
  };
  bool MakePages();
  bool MakeOperands();
  void PlanOp();
  Buffer MakeBuffer(int32_t columns);
  void AddPart(const AttentionPart& part);
  void FillToken(int32_t row, int32_t sequence, int32_t slot);
  float Number(int32_t what, int32_t sequence, int32_t slot, int32_t column) const;
  double Stored(int32_t what, int32_t sequence, int32_t slot, int32_t column) const;
  std::string Collect(const AttentionPart& part, const SequenceSpan& span);
  std::vector<double> Expected(int32_t sequence, int32_t slot,
                               const std::vector<int32_t>& visible) const;
  std::vector<int32_t> Visible(const AttentionPart& part, const SequenceSpan& span,
                               int32_t j) const;

  Attention* attention_;
  KitDevice& device_;
  AttentionSetup setup_;
  Status status_ = Status::kOk;
  KvLayout layout_{};
  uint8_t* pages_ = nullptr;
  uint64_t pages_bytes_ = 0;
  std::vector<int32_t> order_, free_pages_;
  std::map<int32_t, Sequence> sequences_;
  std::vector<Operand> operands_;
  Buffer out_{};
  float* sinks_ = nullptr;  // [heads]
  PlannedOp planned_;
  std::vector<int32_t> positions_, token_sequence_, tables_, token_ids_;
  std::vector<uint64_t> tree_;
  std::vector<SequenceSpan> spans_;
  Batch batch_{};
  bool has_tree_ = false;
  Rows rows_;
  double worst_ = 0;
  uint64_t last_bytes_ = 0;
  double last_products_ = 0;
};

}  // namespace tenon::testing
