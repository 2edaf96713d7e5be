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

TEST(ReferenceAttention, StoresKAndVInTheKvType) {
  const struct {
    const char* type;
    double step;
  } cases[] = {{"f32", 0x1p-24}, {"f16", 0x1p-11}, {"bf16", 0x1p-8}};
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
