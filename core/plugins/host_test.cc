// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/host.h"

#include <gtest/gtest.h>

#include <thread>

namespace tenon::core {
namespace {

TEST(PluginHost, KeepsTheLastFailureOfEachThread) {
  PluginHost host("acme.flash");
  EXPECT_EQ(host.Fail(Status::kInvalid, "first"), Status::kInvalid);
  std::string other;
  std::thread([&] {
    other = TakeFailure();
    EXPECT_EQ(host.Fail(Status::kIo, "of the other"), Status::kIo);
  }).join();
  EXPECT_EQ(other, "it gave no reason");
  EXPECT_EQ(host.Fail(Status::kOutOfMemory, "second"), Status::kOutOfMemory);
  EXPECT_EQ(TakeFailure(), "second");
  EXPECT_EQ(TakeFailure(), "it gave no reason");
}

TEST(PluginHost, ForgetsAFailure) {
  PluginHost host("acme.flash");
  EXPECT_EQ(host.Fail(Status::kInvalid, "old"), Status::kInvalid);
  ForgetFailure();
  EXPECT_EQ(TakeFailure(), "it gave no reason");
}

TEST(PluginHost, LogsWithTheComponentsNameOnStderr) {
  PluginHost host("acme.flash");
  ::testing::internal::CaptureStderr();
  host.Log(LogLevel::kWarning, "two\nlines");
  host.Log(LogLevel::kDebug, "left out");
  SetLogLevel(LogLevel::kDebug);
  host.Log(LogLevel::kDebug, "let through");
  SetLogLevel(LogLevel::kInfo);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("acme.flash: two lines\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("left out"), std::string::npos) << text;
  EXPECT_NE(text.find("acme.flash: let through\n"), std::string::npos) << text;
}

TEST(PluginHost, OffersNoServiceYet) {
  PluginHost host("acme.flash");
  EXPECT_EQ(host.Service("tenon.clock/1"), nullptr);
}

TEST(OneLine, ReplacesControlCharactersAndCutsOff) {
  EXPECT_EQ(OneLine("a\tb\x1b[31m"), "a b [31m");
  EXPECT_EQ(OneLine("abcdef", 3), "abc …");
}

}  // namespace
}  // namespace tenon::core
