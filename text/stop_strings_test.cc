// SPDX-License-Identifier: Apache-2.0
#include "text/stop_strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

StopStrings Made(const std::vector<std::string>& stops) { return *StopStrings::Make(stops); }

TEST(StopStrings, FindsAStopAcrossPieces) {
  StopStrings stops = Made({"<end>"});
  EXPECT_EQ(stops.Push("hello <e"), "hello ");
  EXPECT_EQ(stops.Push("n"), "");
  EXPECT_FALSE(stops.stopped());
  EXPECT_EQ(stops.Push("d> more"), "");
  EXPECT_TRUE(stops.stopped());
  EXPECT_EQ(stops.matched(), "<end>");
  EXPECT_EQ(stops.Push("again"), "");
  EXPECT_EQ(stops.Flush(), "");
}

TEST(StopStrings, ReleasesWhatCannotBecomeAStopAnyMore) {
  StopStrings stops = Made({"abcabd"});
  EXPECT_EQ(stops.Push("abcab"), "");
  EXPECT_EQ(stops.Push("c"), "abc");
  EXPECT_EQ(stops.Push("x"), "abcx");
  EXPECT_EQ(stops.Push("ab"), "");
  EXPECT_EQ(stops.Flush(), "ab");
  EXPECT_FALSE(stops.stopped());
}

TEST(StopStrings, TakesTheFirstToBeCompleteAndThenTheLongest) {
  StopStrings nested = Made({"bcde", "c"});
  EXPECT_EQ(nested.Push("abcde"), "ab");
  EXPECT_EQ(nested.matched(), "c");
  StopStrings same_end = Made({"d", "cd", "bcd"});
  EXPECT_EQ(same_end.Push("abcd"), "a");
  EXPECT_EQ(same_end.matched(), "bcd");
}

TEST(StopStrings, WithoutAnyLetsEverythingThrough) {
  StopStrings none = Made({});
  EXPECT_EQ(none.Push("anything"), "anything");
  EXPECT_EQ(none.Flush(), "");
}

TEST(StopStrings, AgreesWithSearchingTheWholeText) {
  testing::Random random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> list;
    for (size_t i = 0; i < 1 + random.Below(4); ++i)
      list.push_back(random.Text(1 + random.Below(5), "ab"));
    const std::string text = random.Text(random.Below(40), "abbbc");
    size_t end = std::string::npos, begin = text.size();
    for (const std::string& stop : list) {
      const size_t at = text.find(stop);
      if (at == std::string::npos) continue;
      if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
        end = at + stop.size();
        begin = at;
      }
    }
    StopStrings stops = Made(list);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const size_t piece = 1 + random.Below(6);
      shown += stops.Push(std::string_view(text).substr(at, piece));
      at += piece;
    }
    shown += stops.Flush();
    ASSERT_EQ(shown, text.substr(0, begin));
    ASSERT_EQ(stops.stopped(), end != std::string::npos);
  }
}

TEST(StopStrings, RefusesWhatItCannotLookFor) {
  EXPECT_THAT(StopStrings::Make({""}).error().message,
              ::testing::HasSubstr("0 bytes; 1 to 4096 allowed"));
  EXPECT_THAT(StopStrings::Make({"\xFF"}).error().message, ::testing::HasSubstr("not UTF-8"));
  EXPECT_THAT(StopStrings::Make({std::string(5000, 'a')}).error().message,
              ::testing::HasSubstr("5000 bytes"));
  EXPECT_FALSE(StopStrings::Make(std::vector<std::string>(300, "x")).ok());
}

}  // namespace
}  // namespace tenon::text
