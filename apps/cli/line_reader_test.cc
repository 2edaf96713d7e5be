// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace tenon::apps {
namespace {

using Got = LineReader::Got;

// A pipe that is written here and read by a LineReader.
class Lines : public ::testing::Test {
 protected:
  Lines() { EXPECT_EQ(pipe(ends_), 0); }
  ~Lines() override {
    close(ends_[0]);
    Close();
  }
  void Write(const std::string& text) {
    ASSERT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void Close() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  // What Next gives: the line, or "<end>" and the like.
  std::string Next(LineReader& reader) {
    std::string line;
    switch (reader.Next(&line, &stop_)) {
      case Got::kLine:
        return line;
      case Got::kEnd:
        return "<end>";
      case Got::kTooLong:
        return "<too long>";
      case Got::kStopped:
        return "<stopped>";
      case Got::kFailed:
        break;
    }
    return "<failed>";
  }

  int ends_[2];
  bool stop_ = false;
};

TEST_F(Lines, ComeWithoutTheirEnds) {
  Write("one\n\ntwo\r\nlast");
  Close();
  LineReader reader(ends_[0], 100);
  for (const char* want : {"one", "", "two", "last", "<end>", "<end>"}) {
    EXPECT_EQ(Next(reader), want);
  }
  EXPECT_EQ(reader.Number(), 4);
}

TEST_F(Lines, AreReadyOnlyWhenWhole) {
  LineReader reader(ends_[0], 100);
  EXPECT_FALSE(reader.Ready());
  Write("par");
  EXPECT_FALSE(reader.Ready());
  Write("t\nmore");
  EXPECT_TRUE(reader.Ready());
  EXPECT_EQ(Next(reader), "part");
  EXPECT_FALSE(reader.Ready());
  Close();
  EXPECT_TRUE(reader.Ready());
  EXPECT_EQ(Next(reader), "more");
  EXPECT_TRUE(reader.Ready());
  EXPECT_EQ(Next(reader), "<end>");
}

TEST_F(Lines, HaveALimit) {
  Write(std::string(10, 'a') + "\n" + std::string(11, 'b') + "\n");
  LineReader reader(ends_[0], 10);
  EXPECT_EQ(Next(reader), std::string(10, 'a'));
  EXPECT_EQ(Next(reader), "<too long>");
  EXPECT_EQ(reader.Number(), 2);
}

TEST_F(Lines, WithoutAnEndAreNotReadForever) {
  Write(std::string(1000, 'a'));  // and the pipe stays open
  LineReader reader(ends_[0], 10);
  EXPECT_EQ(Next(reader), "<too long>");
}

TEST_F(Lines, StopWhenAskedTo) {
  stop_ = true;
  LineReader reader(ends_[0], 10);
  EXPECT_EQ(Next(reader), "<stopped>");
}

TEST_F(Lines, SayWhenReadingFails) {
  const int folder = open("/", O_RDONLY | O_DIRECTORY);
  LineReader reader(folder, 10);
  EXPECT_EQ(Next(reader), "<failed>");
  close(folder);
}

}  // namespace
}  // namespace tenon::apps
