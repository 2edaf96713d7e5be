// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tenon::apps {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Events(std::string_view bytes, size_t each) {
  SseReader reader;
  std::vector<std::string> out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(each, bytes.size()))) {
    const auto fed =
        reader.Feed(bytes.substr(0, each), [&](std::string_view data) { out.emplace_back(data); });
    EXPECT_TRUE(fed.ok());
  }
  return out;
}

TEST(SseReader, FindsTheSameEventsHoweverBytesArrive) {
  const std::string_view text =
      ": comment\n\ndata: one\n\nevent: x\ndata:two\ndata:  three\nid: 4\n\r\ndata\r\n\r\ndata: "
      "four\r\n\r\ndata: five\r\rdata: unfinished";
  for (size_t each = 1; each <= text.size(); ++each) {
    EXPECT_THAT(Events(text, each), ElementsAre("one", "two\n three", "four", "five")) << each;
  }
}

TEST(SseReader, RefusesAnEventWithoutEnd) {
  SseReader reader;
  const std::string piece(size_t{1} << 20, 'x');
  bool refused = false;
  for (int i = 0; i < 20 && !refused; ++i) {
    refused = !reader.Feed(piece, [](std::string_view) {}).ok();
  }
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace tenon::apps
