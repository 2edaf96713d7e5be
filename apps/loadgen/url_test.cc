// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::apps {
namespace {

TEST(ParseUrl, TakesServersApart) {
  const auto url = ParseUrl("http://example.org:8000/base/");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, "8000");
  EXPECT_EQ(url->path, "/base");
}

TEST(ParseUrl, FillsInWhatIsLeftOut) {
  const auto bare = ParseUrl("127.0.0.1:81");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->host, "127.0.0.1");
  EXPECT_EQ(bare->port, "81");
  EXPECT_EQ(bare->path, "");
  const auto portless = ParseUrl("http://[::1]/v1");
  ASSERT_TRUE(portless.ok());
  EXPECT_EQ(portless->host, "::1");
  EXPECT_EQ(portless->port, "80");
  EXPECT_EQ(portless->path, "");
}

TEST(ParseUrl, NamesWhatIsWrong) {
  for (const char* text :
       {"", "http://", "http://:80", "ftp://x", "http://x:0", "http://x:65536", "http://x:8a",
        "http://[::1", "http://[::1]8", "http://a b", "http://user@x", "http://x/\r\nHost: y"}) {
    const auto url = ParseUrl(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().status, Status::kInvalid);
    EXPECT_THAT(url.error().message, ::testing::HasSubstr("expected"));
  }
  EXPECT_EQ(ParseUrl("https://x").error().status, Status::kUnsupported);
}

}  // namespace
}  // namespace tenon::apps
