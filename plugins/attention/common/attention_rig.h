// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu/attention.h"
#include "tenon/attention.h"
#include "tenon/component.h"
#include "tenon/device.h"
#include "tenon/plugin.h"

// For the tests and the benchmark of attention components: a host and a device that do nothing but
// hand out memory, and a session that keeps sequences and pages and runs one op over them.
namespace tenon::attention {

class RigHost final : public Host {
 public:
  void Log(LogLevel, Str) noexcept override {}
  Status Fail(Status status, Str text) noexcept override;
  void* Service(const char*) noexcept override { return nullptr; }

  std::string failure;  // the last one's text
};

class RigDevice final : public Device {
 public:
  RigDevice(int32_t lanes, std::string isa, std::string kind = "cpu")
      : lanes_(lanes), isa_(std::move(isa)), kind_(std::move(kind)) {}

  DeviceInfo Info() const noexcept override;
  void* Allocate(uint64_t bytes) noexcept override;
  void Free(void* memory) noexcept override;
  Status Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept override;
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t* ns) noexcept override;
  void ParallelFor(int64_t count, void (*fn)(void*, int64_t) noexcept,
                   void* context) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

  int64_t live = 0;             // blocks handed out and not freed
  int64_t allocations = 0;      // in all
  int64_t allowed = INT64_MAX;  // allocations after which none is granted

 private:
  int32_t lanes_;
  std::string isa_, kind_;
};

// A component made from the first entry of a plugin, with the defaults of its options but for
// `overrides`. Check component() before use: null after a failed creation.
class RigComponent {
 public:
  RigComponent(const PluginInfo& plugin, RigHost* host, Device* device,
               const std::map<std::string, std::string>& overrides);
  ~RigComponent();
  RigComponent(const RigComponent&) = delete;
  RigComponent& operator=(const RigComponent&) = delete;

  Attention* attention() const { return attention_; }
  Status status() const { return status_; }

 private:
  const ComponentInfo& info_;
  Component* component_ = nullptr;
  Attention* attention_ = nullptr;
  Status status_;
};

// The numbers that a session feeds its op: in [-1.7, 1.7), by what they are for, the sequence, the
// slot and the column. Sinks are twice the number of their head: (kSink, 0, 0, head). A latent op
// takes q_latent as kQ and the latent as kK.
enum class RigInput : uint32_t { kQ = 1, kK = 2, kV = 3, kSink = 4, kQRope = 5, kKRope = 6 };
float RigNumber(RigInput what, int32_t sequence, int32_t slot, int32_t column);

// The kind of op. A latent layer has one KV head, head_dim rank + rope_dim and value_dim rank; a
// bidirectional one has value_dim head_dim, and each of its sequences stands in one step alone.
enum class RigKind { kCausal, kLatent, kBidirectional };

// q and k turned by the position: by the op (a kRopeAttention), or before it sees them.
struct RigRope {
  RopeParams params;
  std::vector<float> inverse_frequency;
  bool joined;
};

struct RigSetup {
  RigKind kind = RigKind::kCausal;
  AttentionParams layer = {0, 4, 2, 64, 64, 0.125f, 0, 0.0f, 0};
  std::map<std::string, std::string> options;
  std::string isa = "generic";
  std::optional<RigRope> rope = {};
  int32_t lanes = 1;
  int32_t max_context = 512;
  int32_t max_tokens = 512;  // in a step
  int32_t max_sequences = 8;
  uint32_t page_seed = 1;  // order in which pages are handed out
  float magnitude = 1;     // of q
  std::function<float(RigInput, int32_t, int32_t, int32_t)> number = RigNumber;
  uint8_t fill = 0xff;  // bytes of fresh pages; 0xff is NaN in every type
};

// One sequence's part of a step. With `tree`, one mask a token; positions are context + depth.
struct StepPart {
  int32_t sequence;
  int32_t tokens;
  std::vector<uint64_t> tree = {};
  std::vector<int32_t> depths = {};
};

class RigSession {
 public:
  RigSession(const PluginInfo& plugin, const RigSetup& setup);
  ~RigSession();
  RigSession(const RigSession&) = delete;
  RigSession& operator=(const RigSession&) = delete;

  // Empty when the op stands, else why not.
  const std::string& failure() const { return host_.failure; }

  // Runs a step; the rows come to rows(). A token's q, k and v depend on its sequence and slot
  // only.
  void Run(const std::vector<StepPart>& parts);
  // Only the op, on the batch of the last Run again.
  void RunAgain();

  // Makes `child` begin with `pages` whole pages of `parent`: shared, not copied.
  void Share(int32_t parent, int32_t child, int32_t pages);
  // Makes `child` have the K and V of `parent` in its first slots, without giving it any.
  void Imitate(int32_t parent, int32_t child, int32_t slots);
  // Forgets the last slots of a sequence, as after refused drafts.
  void Truncate(int32_t sequence, int32_t slots) { sequences_[sequence].context = slots; }
  // Gives away a sequence's first pages, as behind a window: they are overwritten with NaN.
  void DropPages(int32_t sequence, int32_t pages);

  int32_t page_tokens() const { return layout_.page_tokens; }
  uint64_t KvBytes(int32_t slots) const;
  uint64_t page_bytes() const { return layout_.page_bytes; }
  RigDevice& device() { return device_; }

  // Output rows by sequence and slot.
  using Rows = std::map<std::pair<int32_t, int32_t>, std::vector<float>>;
  const Rows& rows() const { return rows_; }

 private:
  struct Sequence {
    int32_t context = 0;
    std::vector<int32_t> pages;
    int32_t parent = -1;
    int32_t shared_slots = 0;
  };
  void MakeOp();
  bool MakePages();
  void MakeOperands();
  void AddPart(const StepPart& part);
  void FillToken(int32_t row, int32_t sequence, int32_t slot);
  void TurnToken(int32_t row, int32_t position);
  void RunOp();

  RigSetup setup_;
  RigHost host_;
  RigDevice device_;
  RigComponent component_;
  KvLayout layout_{};
  uint8_t* pages_ = nullptr;
  uint64_t pages_bytes_ = 0;
  std::vector<int32_t> free_pages_;
  std::map<int32_t, Sequence> sequences_;
  Op* op_ = nullptr;
  // The op's inputs, in their order.
  struct Operand {
    RigInput what;
    int32_t columns;
    std::vector<float> values;
  };
  std::vector<Operand> operands_;
  std::vector<Buffer> inputs_;
  std::vector<float> out_, sinks_;
  std::vector<int32_t> positions_, token_sequence_, tables_, token_ids_;
  std::vector<uint64_t> tree_;
  std::vector<SequenceSpan> spans_;
  Batch batch_{};
  bool has_tree_ = false;
  Rows rows_;
};

// Names of the levels that this machine has.
std::vector<std::string> RigIsas();

// The greatest difference of two results, each relative to the greatest value of its row; infinity
// where their rows differ or a value is not finite.
double RigDistance(const RigSession::Rows& a, const RigSession::Rows& b);

// Whether each row of `some` is in `all` with the same bits.
bool RigSameBits(const RigSession::Rows& some, const RigSession::Rows& all);

}  // namespace tenon::attention
