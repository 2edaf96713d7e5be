// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/flash/flash.h"

#include <gtest/gtest.h>

#include "plugins/attention/common/attention_cases.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_flash();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_reference();

namespace tenon::attention {
namespace {

const PluginInfo& Flash() { return *tenon_plugin_v1_attention_flash(); }
const PluginInfo& Reference() { return *tenon_plugin_v1_attention_reference(); }

TEST(FlashAttention, AgreesWithTheReferenceAtEveryLevel) {
  for (const RigCase& c : RigCases()) {
    const RigSession::Rows expected = RunCase(Reference(), c.setup, c.steps);
    for (const std::string& isa : RigIsas()) {
      RigSetup setup = c.setup;
      setup.isa = isa;
      setup.lanes = 2;
      EXPECT_LT(RigDistance(RunCase(Flash(), setup, c.steps), expected), c.tolerance)
          << c.name << " on " << isa;
    }
  }
}

TEST(FlashAttention, AsksForOnePageASequence) {
  RigSetup setup;
  setup.max_context = 301;  // no multiple of a block
  RigSession session(Flash(), setup);
  ASSERT_EQ(session.failure(), "");
  EXPECT_EQ(session.page_tokens(), 301);
  session.Run({{0, 301}});
  EXPECT_EQ(session.rows().size(), 301u);
}

TEST(FlashAttention, ClaimsNoSharedPages) {
  const ComponentInfo& info = *Flash().components[0];
  EXPECT_FALSE(info.capabilities.Has(Capability::kSharedPages));
  EXPECT_TRUE(info.capabilities.Has(Capability::kDeviceCpu));
  EXPECT_TRUE(info.capabilities.Has(Capability::kTreeMask));
  EXPECT_FALSE(info.capabilities.Has(Capability::kDeviceCuda));
}

}  // namespace
}  // namespace tenon::attention
