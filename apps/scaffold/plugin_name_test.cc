// SPDX-License-Identifier: Apache-2.0
#include "apps/scaffold/plugin_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::apps {
namespace {

using ::testing::HasSubstr;

TEST(PluginName, GivesTheNamesOfFilesAndSymbols) {
  const auto name = ParsePluginName("acme.fast_path_2b");
  ASSERT_FALSE(name.ok());  // a part begins with a digit
  const auto good = ParsePluginName("acme_labs.fast_path2");
  ASSERT_TRUE(good.ok()) << good.error().message;
  EXPECT_EQ(good->vendor, "acme_labs");
  EXPECT_EQ(good->Full(), "acme_labs.fast_path2");
  EXPECT_EQ(good->Target(), "acme_labs_fast_path2");
  EXPECT_EQ(good->ClassName(), "FastPath2");
}

TEST(PluginName, AsksForAVendor) {
  const auto name = ParsePluginName("flash");
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.error().message,
            "\"flash\" has no vendor; vendor.technique is wanted, e.g. acme.fast_path");
}

TEST(PluginName, IsLowerCase) {
  for (const char* wrong :
       {"", ".", "acme.", ".flash", "Acme.flash", "acme.Flash", "acme.flash.two", "acme.2flash",
        "acme._flash", "acme.flash_", "acme.fl__ash", "acme.fla-sh", "acme.fla sh", "acme./etc",
        "acme.../up", "äcme.flash", "acme.flash\n"}) {
    const auto name = ParsePluginName(wrong);
    ASSERT_FALSE(name.ok()) << wrong;
    EXPECT_THAT(name.error().message, HasSubstr("vendor.technique is wanted")) << wrong;
  }
  EXPECT_FALSE(ParsePluginName("acme." + std::string(41, 'a')).ok());
  EXPECT_TRUE(ParsePluginName("acme." + std::string(40, 'a')).ok());
  EXPECT_LT(ParsePluginName("acme." + std::string(100000, 'a')).error().message.size(), 400u);
}

TEST(PluginName, IsNobodyElses) {
  for (const char* wrong :
       {"tenon.flash", "std.flash", "int.flash", "class.flash", "linux.flash"}) {
    const auto name = ParsePluginName(wrong);
    ASSERT_FALSE(name.ok()) << wrong;
    EXPECT_THAT(name.error().message, HasSubstr("taken")) << wrong;
  }
  for (const char* wrong : {"acme.plugin", "acme.test_host"}) {
    const auto name = ParsePluginName(wrong);
    ASSERT_FALSE(name.ok()) << wrong;
    EXPECT_THAT(name.error().message, HasSubstr("names its files")) << wrong;
  }
  EXPECT_TRUE(ParsePluginName("acme.class").ok());
}

}  // namespace
}  // namespace tenon::apps
