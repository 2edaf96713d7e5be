// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/wheel.h"

#include "apps/pull/test_wheel.h"

namespace tenon::apps {
namespace {

Result<std::string> ReadAll(const Wheel& wheel, const std::string& member, uint64_t limit_bytes) {
  std::string all;
  const Result<uint64_t> read =
      wheel.Read(member, limit_bytes, [&](Span<const char> bytes) -> Result<void> {
        all.append(bytes.data, bytes.size);
        return {};
      });
  if (!read.ok()) return read.error();
  EXPECT_EQ(*read, all.size());
  return all;
}

TEST(Wheel, UnpacksAMember) {
  const TestFolder folder;
  const std::string large(3 << 20, 'x');
  MakeWheel(folder / "a.whl", {{"pkg/a.bin", "first"}, {"pkg/b.bin", large}, {"pkg/empty", ""}});
  const Result<Wheel> wheel = Wheel::Open(folder / "a.whl");
  ASSERT_TRUE(wheel.ok());
  EXPECT_EQ(*ReadAll(*wheel, "pkg/a.bin", 100), "first");
  EXPECT_EQ(*ReadAll(*wheel, "pkg/b.bin", large.size()), large);
  EXPECT_EQ(*ReadAll(*wheel, "pkg/empty", 0), "");
}

TEST(Wheel, RefusesWhatUnpacksToMoreThanExpected) {
  const TestFolder folder;
  MakeWheel(folder / "bomb.whl", {{"data", std::string(64 << 20, '\0')}});
  ASSERT_LT(std::filesystem::file_size(folder / "bomb.whl"), 1u << 20);
  const Result<Wheel> wheel = Wheel::Open(folder / "bomb.whl");
  ASSERT_TRUE(wheel.ok());
  const Result<std::string> read = ReadAll(*wheel, "data", 1000);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("at most 1000 were expected"), std::string::npos);
}

TEST(Wheel, NamesAMemberThatIsMissing) {
  const TestFolder folder;
  MakeWheel(folder / "a.whl", {{"pkg/a.bin", "first"}});
  const Result<Wheel> wheel = Wheel::Open(folder / "a.whl");
  ASSERT_TRUE(wheel.ok());
  const Result<std::string> read = ReadAll(*wheel, "pkg/c.bin", 100);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("a.whl: holds no pkg/c.bin"), std::string::npos);
}

TEST(Wheel, EndsWhereTheSinkFails) {
  const TestFolder folder;
  MakeWheel(folder / "a.whl", {{"data", std::string(5 << 20, 'x')}});
  const Result<Wheel> wheel = Wheel::Open(folder / "a.whl");
  ASSERT_TRUE(wheel.ok());
  int calls = 0;
  const Result<uint64_t> read = wheel->Read("data", 5 << 20, [&](Span<const char>) -> Result<void> {
    ++calls;
    return Error{Status::kIo, "disk full", ""};
  });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "disk full");
  EXPECT_EQ(calls, 1);
}

TEST(Wheel, RefusesWhatIsNoArchive) {
  const TestFolder folder;
  WriteText(folder / "text.whl", "<html>not found</html>");
  WriteText(folder / "empty.whl", "");
  EXPECT_FALSE(Wheel::Open(folder / "text.whl").ok());
  EXPECT_FALSE(Wheel::Open(folder / "missing.whl").ok());
  const Result<Wheel> empty = Wheel::Open(folder / "empty.whl");
  EXPECT_FALSE(empty.ok() && ReadAll(*empty, "data", 10).ok());
}

// A small wheel with every prefix and every changed byte: an error or the content, never anything
// else.
TEST(Wheel, SurvivesEveryPrefixAndEveryChangedByte) {
  const TestFolder folder;
  const std::string content = "weights weights weights weights";
  MakeWheel(folder / "seed.whl", {{"pkg/data", content}});
  const std::string seed = ReadText(folder / "seed.whl");
  ASSERT_FALSE(seed.empty());
  const auto check = [&](const std::string& bytes) {
    WriteText(folder / "case.whl", bytes);
    const Result<Wheel> wheel = Wheel::Open(folder / "case.whl");
    if (!wheel.ok()) return;
    const Result<std::string> read = ReadAll(*wheel, "pkg/data", 64);
    if (read.ok()) {
      EXPECT_EQ(*read, content);
    }
  };
  for (size_t size = 0; size < seed.size(); ++size) check(seed.substr(0, size));
  for (size_t at = 0; at < seed.size(); ++at) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string changed = seed;
      changed[at] = static_cast<char>(value);
      check(changed);
    }
  }
}

}  // namespace
}  // namespace tenon::apps
