// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "plugins/attention/common/attention_cases.h"
#include "sdk/testing/allocation_count.h"

// Latent attention (MLA) of the components that compute over blocks.
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_paged();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_flash();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_reference();

namespace tenon::attention {
namespace {

const PluginInfo& Paged() { return *tenon_plugin_v1_attention_paged(); }
const PluginInfo& Flash() { return *tenon_plugin_v1_attention_flash(); }
const PluginInfo& Reference() { return *tenon_plugin_v1_attention_reference(); }

using Steps = std::vector<std::vector<StepPart>>;

RigSetup SetupOf(const AttentionParams& layer, int32_t max_context, const std::string& isa) {
  RigSetup setup;
  setup.kind = RigKind::kLatent;
  setup.layer = layer;
  setup.isa = isa;
  setup.max_context = max_context;
  setup.max_tokens = max_context;
  return setup;
}

AttentionParams LayerOf(int32_t heads, int32_t rank, int32_t rope_dim) {
  return {0, heads, 1, rank + rope_dim, rank, 0.1f, 0, 0, 0};
}

// Few heads, more than an item's rows in equal runs, and columns that fill no vector.
const AttentionParams kFew = LayerOf(4, 64, 16), kMany = LayerOf(50, 16, 16),
                      kOdd = LayerOf(7, 37, 9);

TEST(LatentAttention, GivesTheSameBitsHoweverThePromptIsCut) {
  for (const std::string& isa : RigIsas()) {
    for (const AttentionParams& layer : {kFew, kMany, kOdd}) {
      const RigSetup setup = SetupOf(layer, 280, isa);
      const RigSession::Rows whole = RunCase(Paged(), setup, {{{0, 280}}});
      EXPECT_TRUE(RigSameBits(RunCase(Flash(), setup, {{{0, 280}}}), whole)) << isa;
      for (const int32_t chunk : {1, 7, 64, 129}) {
        Steps steps;
        for (int32_t at = 0; at < 280; at += chunk) {
          steps.push_back({{0, std::min(chunk, 280 - at)}});
        }
        EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, steps), whole))
            << isa << ", " << layer.heads << " heads, chunks of " << chunk;
      }
    }
  }
}

TEST(LatentAttention, GivesTheSameBitsInAnyBatch) {
  for (const std::string& isa : RigIsas()) {
    for (const AttentionParams& layer : {kFew, kMany, kOdd}) {
      const RigSetup setup = SetupOf(layer, 300, isa);
      const Steps alone = {{{0, 130}}, {{0, 1}}, {{0, 1}}, {{0, 20}}, {{0, 1}}};
      const Steps beside = {{{3, 31}, {0, 130}, {1, 5}},
                            {{1, 1}, {0, 1}, {3, 1}},
                            {{1, 100}, {0, 1}},
                            {{0, 20}, {2, 90}},
                            {{2, 1}, {1, 1}, {3, 1}, {0, 1}}};
      const RigSession::Rows all = RunCase(Paged(), setup, beside);
      EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, alone), all))
          << isa << ", " << layer.heads << " heads";
      EXPECT_TRUE(RigSameBits(RunCase(Flash(), setup, beside), all)) << isa;
    }
  }
}

TEST(LatentAttention, GivesTheSameBitsOnAnyNumberOfLanes) {
  const Steps steps = {{{0, 600}, {1, 70}},
                       {{0, 1}, {1, 1}},
                       {{0, 1}},
                       {{0, 5}},
                       {{1, 1}, {0, 1}},
                       {{0, 1}},
                       {{0, 3, {1, 3, 5}, {0, 1, 1}}}};
  for (const std::string& isa : RigIsas()) {
    for (const AttentionParams& layer : {kFew, kMany, kOdd}) {
      RigSetup setup = SetupOf(layer, 700, isa);
      const RigSession::Rows one = RunCase(Paged(), setup, steps);
      for (int32_t lanes = 2; lanes <= 4; ++lanes) {
        setup.lanes = lanes;
        EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, steps), one))
            << isa << ", " << layer.heads << " heads, " << lanes << " lanes";
      }
    }
  }
}

TEST(LatentAttention, ReadsPagesOfAnotherSequence) {
  const RigSetup setup = SetupOf(kFew, 200, RigIsas().back());
  RigSession shared(Paged(), setup), own(Paged(), setup);
  shared.Run({{0, 100}});
  shared.Share(0, 1, 6);
  shared.Run({{1, 40}, {0, 1}});
  own.Run({{0, 100}});
  own.Imitate(0, 1, 96);
  own.Run({{1, 96}});
  own.Run({{1, 40}});
  own.Run({{0, 1}});
  EXPECT_TRUE(RigSameBits(shared.rows(), own.rows()));
}

TEST(LatentAttention, AllocatesNothingInRun) {
  RigSession session(Paged(), SetupOf(kMany, 600, RigIsas().back()));
  for (const std::vector<StepPart>& step : Steps{{{0, 300}, {1, 1}}, {{0, 1}, {1, 1}}}) {
    session.Run(step);
    const int64_t host = tenon::testing::AllocationCount(), device = session.device().allocations;
    session.RunAgain();
    EXPECT_EQ(tenon::testing::AllocationCount(), host);
    EXPECT_EQ(session.device().allocations, device);
  }
}

// Heads of their own K and V, which the absorbed form never makes: K of head h is [W_uk[h] latent |
// k_rope], V of head h is W_uv[h] latent, and the op's q_latent is W_uk[h]ᵀ q.
struct Expanded {
  static constexpr int32_t kHeads = 3, kRank = 48, kRope = 16, kNope = 24, kValue = 20,
                           kTokens = 150;
  static constexpr float kScale = 0.11f;

  static double Uk(int32_t head, int32_t d, int32_t r) {
    return 0.2 * RigNumber(RigInput::kV, 100 + head, d, r);
  }
  static double Uv(int32_t head, int32_t d, int32_t r) {
    return 0.2 * RigNumber(RigInput::kV, 200 + head, d, r);
  }
  static double Q(int32_t t, int32_t head, int32_t d) {
    return RigNumber(RigInput::kQ, 0, t, head * kNope + d);
  }
  static double Latent(int32_t slot, int32_t r) { return RigNumber(RigInput::kK, 0, slot, r); }
  static double KRope(int32_t slot, int32_t d) { return RigNumber(RigInput::kKRope, 0, slot, d); }
  static double QRope(int32_t t, int32_t head, int32_t d) {
    return RigNumber(RigInput::kQRope, 0, t, head * kRope + d);
  }

  static float Input(RigInput what, int32_t sequence, int32_t slot, int32_t column) {
    if (what != RigInput::kQ) return RigNumber(what, sequence, slot, column);
    const int32_t head = column / kRank, r = column % kRank;
    double sum = 0;
    for (int32_t d = 0; d < kNope; ++d) sum += Q(slot, head, d) * Uk(head, d, r);
    return static_cast<float>(sum);
  }

  static double Key(int32_t slot, int32_t head, int32_t d) {
    double sum = 0;
    for (int32_t r = 0; r < kRank; ++r) sum += Uk(head, d, r) * Latent(slot, r);
    return sum;
  }
  static double Value(int32_t slot, int32_t head, int32_t d) {
    double sum = 0;
    for (int32_t r = 0; r < kRank; ++r) sum += Uv(head, d, r) * Latent(slot, r);
    return sum;
  }

  // Of token t, the head's [kValue].
  static std::vector<double> Attend(int32_t t, int32_t head) {
    std::vector<double> out(kValue);
    double denominator = 0;
    for (int32_t slot = 0; slot <= t; ++slot) {
      double score = 0;
      for (int32_t d = 0; d < kNope; ++d) score += Q(t, head, d) * Key(slot, head, d);
      for (int32_t d = 0; d < kRope; ++d) score += QRope(t, head, d) * KRope(slot, d);
      const double p = std::exp(double{kScale} * score);
      denominator += p;
      for (int32_t d = 0; d < kValue; ++d) out[d] += p * Value(slot, head, d);
    }
    for (double& value : out) value /= denominator;
    return out;
  }
};

TEST(LatentAttention, AbsorbedEqualsExpandedHeads) {
  using E = Expanded;
  for (const PluginInfo* plugin : {&Reference(), &Paged(), &Flash()}) {
    for (const std::string& isa : RigIsas()) {
      RigSetup setup = SetupOf(LayerOf(E::kHeads, E::kRank, E::kRope), E::kTokens, isa);
      setup.layer.scale = E::kScale;
      setup.options = {{"kv_type", "f32"}};
      setup.number = E::Input;
      const RigSession::Rows rows = RunCase(*plugin, setup, {{{0, E::kTokens}}});
      for (const int32_t t : {0, 17, 127, 128, 149}) {
        for (int32_t head = 0; head < E::kHeads; ++head) {
          const std::vector<double> expected = E::Attend(t, head);
          for (int32_t d = 0; d < E::kValue; ++d) {
            double value = 0;
            for (int32_t r = 0; r < E::kRank; ++r) {
              value += E::Uv(head, d, r) * rows.at({0, t})[head * E::kRank + r];
            }
            EXPECT_NEAR(value, expected[d], 1e-4) << isa << ", token " << t << ", head " << head;
          }
        }
      }
    }
  }
}

// ---- layouts and refusals
// ------------------------------------------------------------------------

TEST(LatentAttention, StoresOneRowASlotAndNothingElse) {
  const struct {
    const char* kv_type;
    uint64_t value_bytes;
  } types[] = {{"f32", 4}, {"f16", 2}, {"bf16", 2}};
  for (const auto& [kv_type, value_bytes] : types) {
    RigSetup setup = SetupOf(LayerOf(16, 512, 64), 100, RigIsas().back());
    setup.options = {{"kv_type", kv_type}};
    EXPECT_EQ(RigSession(Reference(), setup).page_bytes(), 100 * 576 * value_bytes);
    EXPECT_EQ(RigSession(Flash(), setup).page_bytes(), 112 * 576 * value_bytes) << "whole blocks";
    setup.options["page_tokens"] = "32";
    EXPECT_EQ(RigSession(Paged(), setup).page_bytes(), 32 * 576 * value_bytes);
  }
}

TEST(LatentAttention, RefusesValuesOfNoColumnsThatAreNoLatentRow) {
  const struct {
    AttentionParams layer;
    const char* expected;
  } cases[] = {{{3, 4, 2, 64, 0, 1, 0, 0, 0}, "2 KV heads"},
               {{3, 4, 1, 64, 0, 1, 8, 0, 0}, "window 8"},
               {{3, 4, 1, 64, 0, 1, 0, 5, 0}, "soft cap 5"},
               {{3, 4, 1, 64, 0, 1, 0, 0, 1}, "has_sinks 1"},
               {{3, 4, 1, 64, -1, 1, 0, 0, 0}, "values of -1"},
               {{3, 4, 1, 2048, 0, 1, 0, 0, 0}, "1 to 1024"}};
  for (const PluginInfo* plugin : {&Reference(), &Paged(), &Flash()}) {
    for (const auto& [layer, expected] : cases) {
      RigHost host;
      RigDevice device(1, "generic");
      RigComponent component(*plugin, &host, &device, {});
      KvLayout layout{};
      EXPECT_EQ(component.attention()->LayOut(layer, 64, &layout), Status::kInvalid) << expected;
      EXPECT_NE(host.failure.find(expected), std::string::npos) << host.failure;
      EXPECT_NE(host.failure.find("layer 3"), std::string::npos) << host.failure;
    }
    EXPECT_TRUE(plugin->components[0]->capabilities.Has(Capability::kLatentKv));
  }
}

// A plan of two heads, rank 32 and rope_dim 16, for a test to spoil.
struct Planned {
  RigHost host;
  RigDevice device{2, "generic"};
  RigComponent component;
  LatentAttentionParams layer = {7, 2, 32, 16, 1};
  alignas(64) uint8_t memory[64] = {};
  Buffer buffers[5];
  OpSpec spec;

  explicit Planned(const PluginInfo& plugin) : component(plugin, &host, &device, {}) {
    KvLayout layout{};
    (void)component.attention()->LayOut(StoredRow(layer), 64, &layout);
    const int32_t columns[] = {64, 32, 32, 16, 64};
    for (size_t i = 0; i < 5; ++i) {
      buffers[i] = {memory, DType::kF32, RowSet::kTokens, 4, columns[i], 512};
    }
    spec.kind = kLatentAttention;
    spec.name = "layers.7.attention";
    spec.inputs = {buffers, 4};
    spec.outputs = {buffers + 4, 1};
    spec.params = &layer;
    spec.params_bytes = sizeof(layer);
    spec.state = memory;
    spec.state_bytes = layout.page_bytes;
  }

  Status Plan() {
    PlannedOp out;
    return component.attention()->Plan(spec, &out);
  }
};

TEST(LatentAttention, SaysWhyItRefusesAnOp) {
  const struct {
    void (*spoil)(Planned*);
    const char* expected;
  } cases[] = {
      {[](Planned* p) { p->spec.params_bytes = 8; }, "LatentAttentionParams is 20"},
      {[](Planned* p) { p->layer.heads = 0; }, "0 heads"},
      {[](Planned* p) { p->layer.rank = 0; }, "a latent of 0 columns and 16 rotated"},
      {[](Planned* p) { p->layer.rope_dim = -3; }, "-3 rotated"},
      {[](Planned* p) { p->layer.rank = 1020; }, "at most 1024 together"},
      {[](Planned* p) { p->layer.rank = INT32_MAX; }, "at most 1024 together"},
      {[](Planned* p) { p->layer.heads = INT32_MAX; }, "at most"},
      {[](Planned* p) { p->layer.scale = NAN; }, "scale nan"},
      {[](Planned* p) { p->spec.inputs.size = 3; }, "q_latent, q_rope, latent, k_rope and one"},
      {[](Planned* p) { p->buffers[1].columns = 16; }, "q_rope has 16 columns"},
      {[](Planned* p) { p->buffers[3].columns = 32; }, "k_rope has 32 columns"},
      {[](Planned* p) { p->buffers[4].dtype = DType::kF16; }, "the output is f16"},
      {[](Planned* p) { p->spec.state_bytes += 1; }, "whole pages of"},
      {[](Planned* p) { p->spec.state = nullptr; }, "is 0 bytes"}};
  for (const PluginInfo* plugin : {&Reference(), &Paged(), &Flash()}) {
    for (const auto& [spoil, expected] : cases) {
      Planned planned(*plugin);
      spoil(&planned);
      EXPECT_EQ(planned.Plan(), Status::kInvalid) << expected;
      EXPECT_NE(planned.host.failure.find(expected), std::string::npos) << planned.host.failure;
    }
    Planned good(*plugin);
    EXPECT_EQ(good.Plan(), Status::kOk) << good.host.failure;
  }
}

TEST(LatentAttention, IsNotStoredAsInt8) {
  for (const PluginInfo* plugin : {&Paged(), &Reference()}) {
    RigHost host;
    RigDevice device(1, "generic");
    RigComponent component(*plugin, &host, &device, {{"kv_type", "int8"}});
    ASSERT_NE(component.attention(), nullptr);
    KvLayout layout{};
    EXPECT_EQ(component.attention()->LayOut({3, 4, 1, 48, 0, 1, 0, 0, 0}, 64, &layout),
              Status::kUnsupported);
    EXPECT_NE(host.failure.find("layer 3 stores one latent row a slot, and kv_type is int8"),
              std::string::npos)
        << host.failure;
    EXPECT_EQ(component.attention()->LayOut({3, 4, 1, 48, 48, 1, 0, 0, 0}, 64, &layout),
              Status::kOk);
  }
}

TEST(LatentAttention, IsNotPlannedAsPlainAttention) {
  Planned planned(Paged());
  AttentionParams row = StoredRow(planned.layer);
  planned.spec.kind = kAttention;
  planned.spec.inputs.size = 3;
  planned.spec.params = &row;
  planned.spec.params_bytes = sizeof(row);
  EXPECT_EQ(planned.Plan(), Status::kInvalid);
  EXPECT_NE(planned.host.failure.find("latent_attention alone"), std::string::npos)
      << planned.host.failure;
}

}  // namespace
}  // namespace tenon::attention
