// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/paged/paged.h"

#include <gtest/gtest.h>

#include "plugins/attention/common/attention_cases.h"
#include "sdk/testing/allocation_count.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_paged();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_flash();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_reference();

namespace tenon::attention {
namespace {

const PluginInfo& Paged() { return *tenon_plugin_v1_attention_paged(); }
const PluginInfo& Flash() { return *tenon_plugin_v1_attention_flash(); }
const PluginInfo& Reference() { return *tenon_plugin_v1_attention_reference(); }

using Steps = std::vector<std::vector<StepPart>>;

RigSetup SetupOf(AttentionParams layer, int32_t max_context, const std::string& isa) {
  RigSetup setup;
  setup.layer = layer;
  setup.isa = isa;
  setup.max_context = max_context;
  setup.max_tokens = max_context;
  return setup;
}

constexpr AttentionParams kSmol = {0, 9, 3, 64, 64, 0.125f, 0, 0, 0};
constexpr AttentionParams kGemma = {0, 4, 1, 256, 256, 0.0625f, 200, 0, 0};
constexpr AttentionParams kOdd = {0, 7, 1, 20, 12, 0.2f, 0, 9, 1};

TEST(PagedAttention, AgreesWithTheReferenceAtEveryLevel) {
  for (const RigCase& c : RigCases()) {
    const RigSession::Rows expected = RunCase(Reference(), c.setup, c.steps);
    for (const std::string& isa : RigIsas()) {
      RigSetup setup = c.setup;
      setup.isa = isa;
      EXPECT_LT(RigDistance(RunCase(Paged(), setup, c.steps), expected), c.tolerance)
          << c.name << " on " << isa;
    }
  }
}

TEST(PagedAttention, GivesTheSameBitsAsFlashWhateverThePagesAreLike) {
  const std::vector<RigCase> cases = RigCases();
  for (size_t i = 0; i < cases.size(); i += 3) {
    const RigCase& c = cases[i];
    for (const std::string& isa : RigIsas()) {
      RigSetup setup = c.setup;
      setup.isa = isa;
      const RigSession::Rows flash = RunCase(Flash(), setup, c.steps);
      for (const char* page_tokens : {"16", "48", "256"}) {
        setup.options["page_tokens"] = page_tokens;
        setup.page_seed += 17;
        EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, c.steps), flash))
            << c.name << " on " << isa << ", pages of " << page_tokens;
      }
    }
  }
}

TEST(PagedAttention, GivesTheSameBitsHoweverThePromptIsCut) {
  for (const std::string& isa : RigIsas()) {
    for (const AttentionParams& layer : {kSmol, kGemma, kOdd}) {
      const RigSetup setup = SetupOf(layer, 420, isa);
      const RigSession::Rows whole = RunCase(Paged(), setup, {{{0, 420}}});
      for (const int32_t chunk : {1, 7, 64, 129}) {
        Steps steps;
        for (int32_t at = 0; at < 420; at += chunk) {
          steps.push_back({{0, std::min(chunk, 420 - at)}});
        }
        EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, steps), whole))
            << isa << ", head_dim " << layer.head_dim << ", chunks of " << chunk;
      }
    }
  }
}

TEST(PagedAttention, GivesTheSameBitsInAnyBatch) {
  for (const std::string& isa : RigIsas()) {
    for (const AttentionParams& layer : {kSmol, kGemma, kOdd}) {
      const RigSetup setup = SetupOf(layer, 300, isa);
      const Steps alone = {{{0, 130}}, {{0, 1}}, {{0, 1}}, {{0, 20}}, {{0, 1}}};
      const Steps beside = {{{3, 31}, {0, 130}, {1, 5}},
                            {{1, 1}, {0, 1}, {3, 1}},
                            {{1, 100}, {0, 1}},
                            {{0, 20}, {2, 90}},
                            {{2, 1}, {1, 1}, {3, 1}, {0, 1}}};
      EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, alone), RunCase(Paged(), setup, beside)))
          << isa << ", head_dim " << layer.head_dim;
    }
  }
}

TEST(PagedAttention, GivesTheSameBitsOnAnyNumberOfLanes) {
  const Steps steps = {{{0, 1100}, {1, 70}},
                       {{0, 1}, {1, 1}},
                       {{0, 1}},
                       {{0, 5}},
                       {{1, 1}, {0, 1}},
                       {{0, 1}},
                       {{0, 3, {1, 3, 5}, {0, 1, 1}}}};
  for (const std::string& isa : RigIsas()) {
    for (const AttentionParams& layer : {kSmol, kGemma, kOdd}) {
      RigSetup setup = SetupOf(layer, 1200, isa);
      const RigSession::Rows one = RunCase(Paged(), setup, steps);
      for (int32_t lanes = 2; lanes <= 4; ++lanes) {
        setup.lanes = lanes;
        EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, steps), one))
            << isa << ", head_dim " << layer.head_dim << ", " << lanes << " lanes";
      }
    }
  }
}

TEST(PagedAttention, GivesTheSameBitsForAChainGivenAsATree) {
  const std::vector<uint64_t> chain = {0b1, 0b11, 0b111, 0b1111, 0b11111};
  const std::vector<int32_t> depths = {0, 1, 2, 3, 4};
  for (const std::string& isa : RigIsas()) {
    for (const int32_t window : {0, 3, 50}) {
      AttentionParams layer = kSmol;
      layer.window = window;
      const RigSetup setup = SetupOf(layer, 200, isa);
      const RigSession::Rows plain = RunCase(Paged(), setup, {{{0, 126}}, {{0, 5}}});
      const RigSession::Rows tree = RunCase(Paged(), setup, {{{0, 126}}, {{0, 5, chain, depths}}});
      EXPECT_TRUE(RigSameBits(tree, plain)) << isa << ", window " << window;
    }
  }
}

TEST(PagedAttention, ReadsPagesOfAnotherSequence) {
  const RigSetup setup = SetupOf(kSmol, 200, RigIsas().back());
  RigSession shared(Paged(), setup), own(Paged(), setup);
  shared.Run({{0, 100}});
  shared.Share(0, 1, 6);
  shared.Run({{1, 40}, {0, 1}});
  shared.Run({{0, 1}, {1, 1}});
  own.Run({{0, 100}});
  own.Imitate(0, 1, 96);
  own.Run({{1, 96}});
  own.Run({{1, 40}});
  own.Run({{0, 1}, {1, 1}});
  own.Run({{0, 1}});
  EXPECT_TRUE(RigSameBits(shared.rows(), own.rows()))
      << "a shared page was read or written wrongly";
}

TEST(PagedAttention, TouchesNoPageBehindTheWindow) {
  AttentionParams layer = kSmol;
  layer.window = 40;
  const RigSetup setup = SetupOf(layer, 300, RigIsas().back());
  const RigSession::Rows kept = RunCase(Paged(), setup, {{{0, 200}}, {{0, 1}}, {{0, 30}}});
  RigSession session(Paged(), setup);
  session.Run({{0, 200}});
  session.DropPages(0, (200 - 40 + 1) / 16);
  session.Run({{0, 1}});
  session.Run({{0, 30}});
  EXPECT_TRUE(RigSameBits(session.rows(), kept));
}

TEST(PagedAttention, OverwritesSlotsOfRefusedDrafts) {
  const RigSetup setup = SetupOf(kSmol, 200, RigIsas().back());
  RigSession session(Paged(), setup);
  session.Run({{0, 120}});
  session.Run({{0, 12}});
  session.Truncate(0, 123);
  session.Run({{0, 1}});
  session.Run({{0, 16}});
  EXPECT_TRUE(RigSameBits(session.rows(), RunCase(Paged(), setup, {{{0, 140}}})));
}

TEST(PagedAttention, AllocatesNothingInRun) {
  RigSession session(Paged(), SetupOf(kSmol, 600, RigIsas().back()));
  for (const std::vector<StepPart>& step : Steps{{{0, 500}, {1, 1}}, {{0, 1}, {1, 1}}}) {
    session.Run(step);
    const int64_t host = tenon::testing::AllocationCount(), device = session.device().allocations;
    session.RunAgain();
    EXPECT_EQ(tenon::testing::AllocationCount(), host);
    EXPECT_EQ(session.device().allocations, device);
  }
}

// ---- refusals
// ------------------------------------------------------------------------------------

class Planned {
 public:
  explicit Planned(RigDevice* device = nullptr, bool lay_out = true)
      : component_(Paged(), &host, device != nullptr ? device : &device_, {}) {
    KvLayout layout{};
    if (lay_out) (void)component_.attention()->LayOut(layer, 64, &layout);
    for (Buffer& buffer : buffers) {
      buffer = {memory, DType::kF32, RowSet::kTokens, 4, 128, 512};
    }
    buffers[1].columns = buffers[2].columns = 64;
    spec.kind = kAttention;
    spec.name = "layers.7.attention";
    spec.inputs = {buffers, 3};
    spec.outputs = {buffers + 3, 1};
    spec.params = &layer;
    spec.params_bytes = sizeof(layer);
    spec.state = memory;
    spec.state_bytes = layout.page_bytes;
  }

  Status Plan() {
    PlannedOp out;
    const Status status = component_.attention()->Plan(spec, &out);
    if (status == Status::kOk) scratch_bytes = out.scratch_bytes;
    return status;
  }

  RigHost host;
  AttentionParams layer = {7, 2, 1, 64, 64, 1, 0, 0, 0};
  Buffer buffers[4];
  OpSpec spec;
  uint64_t scratch_bytes = 0;
  alignas(64) uint8_t memory[64] = {};

 private:
  RigDevice device_{2, "generic"};
  RigComponent component_;
};

TEST(PagedAttention, SaysWhyItRefusesAnOp) {
  const Weight sinks = {"sinks", {DType::kF16, "", 1, 2}, 4};
  const struct {
    const char* what;
    void (*spoil)(Planned*, const Weight*);
    const char* expected;
  } cases[] = {
      {"kind", [](Planned* p, const Weight*) { p->spec.kind = "linear"; }, "\"linear\""},
      {"params", [](Planned* p, const Weight*) { p->spec.params_bytes = 8; }, "are 8 bytes"},
      {"no params", [](Planned* p, const Weight*) { p->spec.params = nullptr; }, "parameters"},
      {"heads", [](Planned* p, const Weight*) { p->layer.heads = 3, p->layer.kv_heads = 2; },
       "3 heads and 2 KV heads"},
      {"no heads", [](Planned* p, const Weight*) { p->layer.kv_heads = 0; }, "0 KV heads"},
      {"many heads", [](Planned* p, const Weight*) { p->layer.heads = 1 << 30; }, "at most"},
      {"head_dim", [](Planned* p, const Weight*) { p->layer.head_dim = 4096; }, "1 to 1024"},
      {"window", [](Planned* p, const Weight*) { p->layer.window = -1; }, "window -1"},
      {"scale", [](Planned* p, const Weight*) { p->layer.scale = INFINITY; }, "scale inf"},
      {"cap", [](Planned* p, const Weight*) { p->layer.soft_cap = NAN; }, "soft cap nan"},
      {"inputs", [](Planned* p, const Weight*) { p->spec.inputs.size = 2; }, "2 inputs"},
      {"columns", [](Planned* p, const Weight*) { p->buffers[0].columns = 64; },
       "q has 64 columns; heads * width asks for 128"},
      {"dtype", [](Planned* p, const Weight*) { p->buffers[2].dtype = DType::kF16; }, "v is f16"},
      {"rows", [](Planned* p, const Weight*) { p->buffers[3].rows = RowSet::kLogitRows; },
       "the output has a row"},
      {"row_bytes", [](Planned* p, const Weight*) { p->buffers[1].row_bytes = 255; },
       "of k are 255"},
      {"no memory", [](Planned* p, const Weight*) { p->buffers[1].data = nullptr; }, "k has no"},
      {"missing sinks", [](Planned* p, const Weight*) { p->layer.has_sinks = 1; }, "0 weights"},
      {"f16 sinks",
       [](Planned* p, const Weight* w) {
         p->layer.has_sinks = 1;
         p->spec.weights = {w, 1};
       },
       "sinks are f16 [1, 2]"},
      {"pages", [](Planned* p, const Weight*) { p->spec.state_bytes += 1; }, "whole pages of"},
      {"no pages", [](Planned* p, const Weight*) { p->spec.state = nullptr; }, "is 0 bytes"},
  };
  for (const auto& c : cases) {
    Planned planned;
    c.spoil(&planned, &sinks);
    EXPECT_NE(planned.Plan(), Status::kOk) << c.what;
    EXPECT_NE(planned.host.failure.find(c.expected), std::string::npos)
        << c.what << ": " << planned.host.failure;
  }
  Planned good;
  EXPECT_EQ(good.Plan(), Status::kOk) << good.host.failure;
  EXPECT_GT(good.scratch_bytes, 0u);
  EXPECT_EQ(good.Plan(), Status::kOk);
  EXPECT_EQ(good.scratch_bytes, 0u) << "ops of one component share their working memory";
}

TEST(PagedAttention, RefusesOtherDevicesAndWantOfMemory) {
  RigDevice gpu(1, "sm_90", "cuda"), full(2, "generic");
  Planned cuda(&gpu);
  EXPECT_EQ(cuda.Plan(), Status::kUnsupported);
  EXPECT_NE(cuda.host.failure.find("\"cuda\""), std::string::npos) << cuda.host.failure;
  Planned early(nullptr, false);
  EXPECT_EQ(early.Plan(), Status::kInvalid);
  EXPECT_NE(early.host.failure.find("laid out"), std::string::npos) << early.host.failure;
  for (int64_t allowed = 0; allowed < 3; ++allowed) {
    full.allowed = full.allocations + allowed;
    Planned poor(&full);
    EXPECT_EQ(poor.Plan(), Status::kOutOfMemory) << allowed;
    full.allowed = INT64_MAX;
    EXPECT_EQ(poor.Plan(), Status::kOk) << "after memory came back";
  }
  EXPECT_EQ(full.live, 0);
}

TEST(PagedAttention, TakesPagesOfWholeBlocksOnly) {
  RigHost host;
  RigDevice device(1, "generic");
  RigComponent odd(Paged(), &host, &device, {{"page_tokens", "24"}});
  EXPECT_EQ(odd.status(), Status::kInvalid);
  EXPECT_NE(host.failure.find("page_tokens is 24; a multiple of 16"), std::string::npos)
      << host.failure;
  EXPECT_TRUE(Paged().components[0]->capabilities.Has(Capability::kSharedPages));
  EXPECT_GT(Paged().components[0]->rank, Flash().components[0]->rank);
}

}  // namespace
}  // namespace tenon::attention
