// SPDX-License-Identifier: Apache-2.0
#include "models/weights/mapped_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

fs::path Folder() {
  const fs::path folder = fs::path(::testing::TempDir()) / "models_mapped_file_test";
  fs::create_directories(folder);
  return folder;
}

std::string ErrorOf(const fs::path& path) {
  const Result<MappedFile> file = MappedFile::Open(path.string());
  return file.ok() ? "no error" : file.error().message;
}

TEST(MappedFile, ShowsTheBytesAndSurvivesMoves) {
  const fs::path path = Folder() / "bytes";
  std::ofstream(path) << "hello";
  Result<MappedFile> file = MappedFile::Open(path.string());
  ASSERT_TRUE(file.ok()) << file.error().message;
  const std::byte* data = file->Bytes().data();
  MappedFile other = std::move(*file);
  MappedFile third;
  third = std::move(other);
  EXPECT_EQ(third.Bytes().data(), data);
  EXPECT_EQ(third.Bytes().size(), 5u);
  EXPECT_EQ(static_cast<char>(third.Bytes()[4]), 'o');
  EXPECT_EQ(third.Path(), path.string());
  EXPECT_TRUE(other.Bytes().empty());
}

TEST(MappedFile, SaysWhyItCannotOpen) {
  const fs::path folder = Folder();
  EXPECT_THAT(ErrorOf(folder / "none"), HasSubstr("there is no such file"));
  EXPECT_THAT(ErrorOf(folder), HasSubstr("is a directory; a file is expected"));
  std::ofstream(folder / "empty").flush();
  EXPECT_THAT(ErrorOf(folder / "empty"), HasSubstr("is empty; was the download interrupted?"));
  EXPECT_THAT(ErrorOf("/dev/zero"), HasSubstr("is not a regular file"));
  EXPECT_THAT(ErrorOf(std::string("a\0b", 3)), HasSubstr("zero byte"));
  EXPECT_EQ(MappedFile::Open((folder / "none").string()).error().status, Status::kNotFound);
}

TEST(MappedFile, DoesNotWaitForAPipe) {
  const fs::path pipe = Folder() / "pipe";
  fs::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf(pipe), HasSubstr("is not a regular file"));
}

TEST(MappedFile, NamesMissingPermission) {
  const fs::path path = Folder() / "locked";
  fs::remove(path);
  std::ofstream(path) << "x";
  fs::permissions(path, fs::perms::none);
  const std::string error = ErrorOf(path);
  if (::geteuid() == 0) {
    EXPECT_EQ(error, "no error");  // nothing is closed to root
  } else {
    EXPECT_THAT(error, HasSubstr("no permission to read it"));
  }
  fs::remove(path);
}

TEST(MappedFile, AdviceChangesNothing) {
  const fs::path path = Folder() / "advised";
  std::ofstream(path) << std::string(10000, 'x');
  const Result<MappedFile> file = MappedFile::Open(path.string());
  ASSERT_TRUE(file.ok());
  for (const Access access :
       {Access::kNormal, Access::kSequential, Access::kRandom, Access::kSoon, Access::kNoMore}) {
    file->Advise(access);
    file->Advise(access, 5000, 100);
    file->Advise(access, 9999, UINT64_MAX);
    file->Advise(access, 20000, 1);
  }
  EXPECT_EQ(static_cast<char>(file->Bytes()[9999]), 'x');
  MappedFile().Advise(Access::kSoon);
}

}  // namespace
}  // namespace tenon::models
