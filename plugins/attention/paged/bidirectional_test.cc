// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "plugins/attention/common/attention_cases.h"
#include "sdk/testing/allocation_count.h"

// Bidirectional attention (encoders) of the components that compute over tiles.
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_paged();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_flash();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_reference();

namespace tenon::attention {
namespace {

const PluginInfo& Paged() { return *tenon_plugin_v1_attention_paged(); }
const PluginInfo& Flash() { return *tenon_plugin_v1_attention_flash(); }
const PluginInfo& Reference() { return *tenon_plugin_v1_attention_reference(); }

RigSetup SetupOf(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t max_tokens,
                 const std::string& isa) {
  RigSetup setup;
  setup.kind = RigKind::kBidirectional;
  setup.layer = {0, heads, kv_heads, head_dim, head_dim, 0.2f, 0, 0, 0};
  setup.isa = isa;
  setup.max_tokens = max_tokens;
  return setup;
}

constexpr int32_t kShapes[][3] = {{4, 4, 32}, {6, 2, 80}, {5, 1, 19}};

TEST(BidirectionalAttention, GivesTheSameBitsInAnyBatch) {
  for (const std::string& isa : RigIsas()) {
    for (const auto& [heads, kv_heads, head_dim] : kShapes) {
      const RigSetup setup = SetupOf(heads, kv_heads, head_dim, 500, isa);
      const RigSession::Rows alone = RunCase(Paged(), setup, {{{0, 270}}, {{1, 9}}});
      const RigSession::Rows beside =
          RunCase(Paged(), setup, {{{3, 3}, {0, 270}, {1, 9}, {4, 130}}});
      EXPECT_TRUE(RigSameBits(alone, beside)) << isa << ", head_dim " << head_dim;
      EXPECT_TRUE(RigSameBits(alone, RunCase(Flash(), setup, {{{1, 9}, {0, 270}}}))) << isa;
    }
  }
}

TEST(BidirectionalAttention, GivesTheSameBitsOnAnyNumberOfLanes) {
  const std::vector<std::vector<StepPart>> steps = {{{0, 40}, {1, 300}, {2, 1}}, {{3, 17}}};
  for (const std::string& isa : RigIsas()) {
    for (const auto& [heads, kv_heads, head_dim] : kShapes) {
      RigSetup setup = SetupOf(heads, kv_heads, head_dim, 400, isa);
      const RigSession::Rows one = RunCase(Paged(), setup, steps);
      for (int32_t lanes = 2; lanes <= 4; ++lanes) {
        setup.lanes = lanes;
        EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, steps), one)) << isa << ", " << lanes;
      }
    }
  }
}

TEST(BidirectionalAttention, TakesASequenceAsLongAsAStep) {
  RigSetup setup = SetupOf(2, 1, 16, 700, "generic");
  const RigSession::Rows expected = RunCase(Reference(), setup, {{{0, 700}}});
  for (const std::string& isa : RigIsas()) {
    setup.isa = isa;
    EXPECT_LT(RigDistance(RunCase(Paged(), setup, {{{0, 700}}}), expected), 2e-6) << isa;
  }
}

TEST(BidirectionalAttention, SeesNothingOfOtherSequences) {
  for (const PluginInfo* plugin : {&Reference(), &Paged(), &Flash()}) {
    RigSetup setup = SetupOf(4, 2, 24, 100, RigIsas().back());
    const RigSession::Rows alone = RunCase(*plugin, setup, {{{1, 21}}});
    setup.number = [](RigInput what, int32_t sequence, int32_t slot, int32_t column) {
      return sequence == 1 ? RigNumber(what, sequence, slot, column) : NAN;
    };
    const RigSession::Rows rows = RunCase(*plugin, setup, {{{0, 5}, {1, 21}, {2, 30}}});
    EXPECT_TRUE(RigSameBits(alone, rows));
  }
}

TEST(BidirectionalAttention, AllocatesNothingInRun) {
  RigSession session(Paged(), SetupOf(4, 2, 64, 300, RigIsas().back()));
  ASSERT_EQ(session.failure(), "");
  session.Run({{0, 200}, {1, 30}});
  const int64_t host = tenon::testing::AllocationCount(), device = session.device().allocations;
  session.RunAgain();
  EXPECT_EQ(tenon::testing::AllocationCount(), host);
  EXPECT_EQ(session.device().allocations, device);
}

// A plan of two heads of 32 columns without pages, for a test to spoil; nothing was laid out.
struct Planned {
  RigHost host;
  RigDevice device{1, "generic"};
  RigComponent component;
  BidirectionalAttentionParams layer = {2, 1, 32, 1};
  alignas(64) uint8_t memory[64] = {};
  Buffer buffers[4];
  OpSpec spec;

  explicit Planned(const PluginInfo& plugin) : component(plugin, &host, &device, {}) {
    const int32_t columns[] = {64, 32, 32, 64};
    for (size_t i = 0; i < 4; ++i) {
      buffers[i] = {memory, DType::kF32, RowSet::kTokens, 4, columns[i], 512};
    }
    spec.kind = kBidirectionalAttention;
    spec.name = "layers.7.attention";
    spec.inputs = {buffers, 3};
    spec.outputs = {buffers + 3, 1};
    spec.params = &layer;
    spec.params_bytes = sizeof(layer);
    spec.state = nullptr;
    spec.state_bytes = 0;
  }

  Status Plan() {
    PlannedOp out;
    return component.attention()->Plan(spec, &out);
  }
};

TEST(BidirectionalAttention, SaysWhyItRefusesAnOp) {
  const struct {
    void (*spoil)(Planned*);
    const char* expected;
  } cases[] = {
      {[](Planned* p) { p->spec.params_bytes = 36; }, "BidirectionalAttentionParams is 16"},
      {[](Planned* p) { p->layer.kv_heads = 3; }, "2 heads and 3 KV heads"},
      {[](Planned* p) { p->layer.head_dim = 0; }, "1 to 1024"},
      {[](Planned* p) { p->layer.head_dim = 1025; }, "1 to 1024"},
      {[](Planned* p) { p->layer.scale = INFINITY; }, "scale inf"},
      {[](Planned* p) { p->spec.inputs.size = 2; }, "2 inputs"},
      {[](Planned* p) { p->buffers[0].max_rows = 0; }, "room for 0 tokens"},
      {[](Planned* p) { p->buffers[2].columns = 64; }, "v has 64 columns"},
      {[](Planned* p) { p->buffers[1].rows = RowSet::kLogitRows; }, "k has a row for each row of"},
      {[](Planned* p) { p->spec.state = p->memory, p->spec.state_bytes = 64; },
       "64 bytes of KV memory"}};
  for (const PluginInfo* plugin : {&Reference(), &Paged(), &Flash()}) {
    for (const auto& [spoil, expected] : cases) {
      Planned planned(*plugin);
      spoil(&planned);
      EXPECT_EQ(planned.Plan(), Status::kInvalid) << expected;
      EXPECT_NE(planned.host.failure.find(expected), std::string::npos) << planned.host.failure;
    }
    Planned good(*plugin);
    EXPECT_EQ(good.Plan(), Status::kOk) << good.host.failure;
    Planned poor(*plugin);
    poor.device.allowed = 0;
    EXPECT_EQ(poor.Plan(), Status::kOutOfMemory);
    EXPECT_TRUE(plugin->components[0]->capabilities.Has(Capability::kBidirectional));
  }
}

}  // namespace
}  // namespace tenon::attention
