// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/reference/reference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "plugins/attention/common/attention_rig.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_reference();

namespace tenon::attention {
namespace {

RigSetup SetupOf(AttentionParams layer) {
  RigSetup setup;
  setup.layer = layer;
  setup.options = {{"kv_type", "f32"}};
  setup.max_context = 64;
  return setup;
}

double Value(int32_t slot, int32_t column) { return RigNumber(RigInput::kV, 0, slot, column); }

TEST(ReferenceAttention, ComputesTheFormula) {
  RigSession session(*tenon_plugin_v1_attention_reference(),
                     SetupOf({0, 2, 1, 3, 2, 0.5f, 0, 3, 1}));
  ASSERT_EQ(session.failure(), "");
  session.Run({{0, 5}});
  for (int32_t t = 0; t < 5; ++t) {
    for (int32_t head = 0; head < 2; ++head) {
      const double sink = 2 * RigNumber(RigInput::kSink, 0, 0, head);
      double sum = std::exp(sink), out[2] = {};
      for (int32_t j = 0; j <= t; ++j) {
        double dot = 0;
        for (int32_t d = 0; d < 3; ++d) {
          dot += double{RigNumber(RigInput::kQ, 0, t, head * 3 + d)} *
                 RigNumber(RigInput::kK, 0, j, d);
        }
        const double p = std::exp(3 * std::tanh(0.5 * dot / 3));
        sum += p;
        for (int32_t d = 0; d < 2; ++d) out[d] += p * Value(j, d);
      }
      for (int32_t d = 0; d < 2; ++d) {
        EXPECT_NEAR(session.rows().at({0, t})[head * 2 + d], out[d] / sum, 1e-6);
      }
    }
  }
}

TEST(ReferenceAttention, GivesEachGroupOfHeadsItsKvHead) {
  RigSession session(*tenon_plugin_v1_attention_reference(), SetupOf({0, 6, 2, 8, 4, 1, 0, 0, 0}));
  session.Run({{0, 1}});
  for (int32_t head = 0; head < 6; ++head) {
    EXPECT_FLOAT_EQ(session.rows().at({0, 0})[head * 4 + 1], Value(0, head / 3 * 4 + 1));
  }
}

TEST(ReferenceAttention, SeesTheLastWindowPositionsOnly) {
  RigSetup setup = SetupOf({0, 1, 1, 8, 1, 1, 3, 0, 0});
  setup.magnitude = 0;  // every visible slot weighs the same
  RigSession session(*tenon_plugin_v1_attention_reference(), setup);
  session.Run({{0, 4}});
  session.Run({{0, 4}});
  EXPECT_NEAR(session.rows().at({0, 1})[0], (Value(0, 0) + Value(1, 0)) / 2, 1e-6);
  for (int32_t t = 2; t < 8; ++t) {
    const double mean = (Value(t, 0) + Value(t - 1, 0) + Value(t - 2, 0)) / 3;
    EXPECT_NEAR(session.rows().at({0, t})[0], mean, 1e-6);
  }
}

TEST(ReferenceAttention, FollowsATreesMask) {
  RigSetup setup = SetupOf({0, 1, 1, 8, 1, 1, 0, 0, 0});
  setup.magnitude = 0;
  RigSession session(*tenon_plugin_v1_attention_reference(), setup);
  session.Run({{0, 2}});
  session.Run({{0, 3, {0b001, 0b011, 0b101}, {0, 1, 1}}});
  const double before = Value(0, 0) + Value(1, 0) + Value(2, 0);
  EXPECT_NEAR(session.rows().at({0, 3})[0], (before + Value(3, 0)) / 4, 1e-6);
  EXPECT_NEAR(session.rows().at({0, 4})[0], (before + Value(4, 0)) / 4, 1e-6);
}

// Each branch of the tree sees the slots before the step and its own ancestors, of those the last
// two positions, and the sink.
TEST(ReferenceAttention, JoinsSinksToAWindowOverATree) {
  RigSetup setup = SetupOf({0, 1, 1, 8, 1, 1, 2, 0, 1});
  setup.magnitude = 0;
  RigSession session(*tenon_plugin_v1_attention_reference(), setup);
  session.Run({{0, 4}});
  session.Run({{0, 4, {0b0001, 0b0011, 0b0101, 0b1101}, {0, 1, 1, 2}}});
  const double sink = std::exp(2 * double{RigNumber(RigInput::kSink, 0, 0, 0)});
  const int32_t seen[][2] = {{3, 4}, {4, 5}, {4, 6}, {6, 7}};
  for (int32_t j = 0; j < 4; ++j) {
    const double expected = (Value(seen[j][0], 0) + Value(seen[j][1], 0)) / (2 + sink);
    EXPECT_NEAR(session.rows().at({0, 4 + j})[0], expected, 1e-6) << "token " << j;
  }
}

TEST(ReferenceAttention, ComputesTheLatentFormula) {
  RigSetup setup = SetupOf({0, 2, 1, 5, 3, 0.5f, 0, 0, 0});
  setup.kind = RigKind::kLatent;
  RigSession session(*tenon_plugin_v1_attention_reference(), setup);
  ASSERT_EQ(session.failure(), "");
  session.Run({{0, 3}});
  session.Run({{0, 1}});
  for (int32_t t = 0; t < 4; ++t) {
    for (int32_t head = 0; head < 2; ++head) {
      double sum = 0, out[3] = {};
      for (int32_t j = 0; j <= t; ++j) {
        double dot = 0;
        for (int32_t d = 0; d < 3; ++d) {
          dot += double{RigNumber(RigInput::kQ, 0, t, head * 3 + d)} *
                 RigNumber(RigInput::kK, 0, j, d);
        }
        for (int32_t d = 0; d < 2; ++d) {
          dot += double{RigNumber(RigInput::kQRope, 0, t, head * 2 + d)} *
                 RigNumber(RigInput::kKRope, 0, j, d);
        }
        const double p = std::exp(0.5 * dot);
        sum += p;
        for (int32_t d = 0; d < 3; ++d) out[d] += p * RigNumber(RigInput::kK, 0, j, d);
      }
      for (int32_t d = 0; d < 3; ++d) {
        EXPECT_NEAR(session.rows().at({0, t})[head * 3 + d], out[d] / sum, 1e-6);
      }
    }
  }
}

TEST(ReferenceAttention, ComputesTheBidirectionalFormula) {
  RigSetup setup = SetupOf({0, 4, 2, 3, 3, 0.5f, 0, 0, 0});
  setup.kind = RigKind::kBidirectional;
  RigSession session(*tenon_plugin_v1_attention_reference(), setup);
  ASSERT_EQ(session.failure(), "");
  session.Run({{1, 2}, {0, 5}, {2, 1}});
  for (int32_t t = 0; t < 5; ++t) {
    for (int32_t head = 0; head < 4; ++head) {
      const int32_t first = head / 2 * 3;
      double sum = 0, out[3] = {};
      for (int32_t j = 0; j < 5; ++j) {
        double dot = 0;
        for (int32_t d = 0; d < 3; ++d) {
          dot += double{RigNumber(RigInput::kQ, 0, t, head * 3 + d)} *
                 RigNumber(RigInput::kK, 0, j, first + d);
        }
        const double p = std::exp(0.5 * dot);
        sum += p;
        for (int32_t d = 0; d < 3; ++d) out[d] += p * Value(j, first + d);
      }
      for (int32_t d = 0; d < 3; ++d) {
        EXPECT_NEAR(session.rows().at({0, t})[head * 3 + d], out[d] / sum, 1e-6);
      }
    }
  }
}

TEST(ReferenceAttention, StoresKAndVInTheKvType) {
  const struct {
    const char* type;
    double step;
  } cases[] = {{"f32", 0x1p-24}, {"f16", 0x1p-11}, {"bf16", 0x1p-8}, {"int8", 1.7 / 254}};
  for (const auto& [type, step] : cases) {
    RigSetup setup = SetupOf({0, 1, 1, 8, 8, 1, 0, 0, 0});
    setup.options = {{"kv_type", type}};
    RigSession session(*tenon_plugin_v1_attention_reference(), setup);
    session.Run({{0, 1}});
    double worst = 0;
    for (int32_t d = 0; d < 8; ++d) {
      worst = std::max(worst, std::abs(session.rows().at({0, 0})[d] - Value(0, d)));
    }
    EXPECT_LE(worst, step) << type;
    EXPECT_TRUE(step < 1e-6 || worst > step / 16) << type << " rounds nothing";
  }
}

TEST(ReferenceAttention, FreesWhatItTook) {
  RigHost host;
  RigDevice device(2, "generic");
  {
    RigComponent component(*tenon_plugin_v1_attention_reference(), &host, &device, {});
    ASSERT_NE(component.attention(), nullptr);
  }
  EXPECT_EQ(device.live, 0);
  RigDevice gpu(1, "sm_90", "cuda");
  RigComponent component(*tenon_plugin_v1_attention_reference(), &host, &gpu, {});
  PlannedOp planned;
  EXPECT_EQ(component.attention()->Plan(OpSpec{}, &planned), Status::kUnsupported);
  EXPECT_NE(host.failure.find("\"cuda\""), std::string::npos) << host.failure;
}

}  // namespace
}  // namespace tenon::attention
