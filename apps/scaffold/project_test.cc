// SPDX-License-Identifier: Apache-2.0
#include "apps/scaffold/project.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const PluginName kName = {"acme", "fast_path"};

// An empty folder of a test's own.
class Scratch {
 public:
  Scratch() {
    std::string path = fs::temp_directory_path() / "scaffold_XXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  std::set<std::string> Entries() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      names.insert(fs::relative(entry.path(), path_).string());
    }
    return names;
  }

 private:
  fs::path path_;
};

TEST(Project, ExistsForEveryFamilyButDevices) {
  EXPECT_THAT(ScaffoldFamilies(),
              ElementsAre("attention", "quant", "scheduler", "parallel", "decoding"));
}

TEST(Project, IsComplete) {
  for (const std::string& family : ScaffoldFamilies()) {
    std::set<std::string> paths;
    for (const ProjectFile& file : MakeProject(family, kName)) {
      paths.insert(file.path);
      EXPECT_EQ(file.text.find("@NAME"), std::string::npos) << file.path;
      EXPECT_FALSE(file.text.empty()) << file.path;
      EXPECT_EQ(file.text.back(), '\n') << file.path;
    }
    for (const char* path :
         {"CMakeLists.txt", "plugin.cc", "fast_path.h", "fast_path.cc", "fast_path_test.cc",
          "README.md", "ci.sh", ".gitignore", ".clang-format", "pipeline.yaml"}) {
      EXPECT_TRUE(paths.count(path)) << family << " lacks " << path;
    }
  }
}

TEST(Project, LeavesNoPlaceholder) {
  for (const std::string& family : ScaffoldFamilies()) {
    for (const ProjectFile& file : MakeProject(family, kName)) {
      for (const char* placeholder :
           {"@NAME@", "@VENDOR@", "@SHORT@", "@CLASS@", "@TARGET@", "@ID@"}) {
        EXPECT_EQ(file.text.find(placeholder), std::string::npos) << file.path;
      }
    }
  }
}

TEST(Project, IsWrittenIntoANewFolder) {
  const Scratch scratch;
  ASSERT_TRUE(WriteProject({{"a.cc", "text\n"}, {"ci.sh", "#!/bin/sh\n"}}, scratch / "x/y").ok());
  EXPECT_THAT(scratch.Entries(), ElementsAre("x", "x/y", "x/y/a.cc", "x/y/ci.sh"));
  std::ifstream in(scratch / "x/y/a.cc");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "text\n");
  struct stat status = {};
  ASSERT_EQ(stat((scratch / "x/y/ci.sh").c_str(), &status), 0);
  EXPECT_NE(status.st_mode & S_IXUSR, 0u);
}

TEST(Project, OverwritesNothing) {
  const Scratch scratch;
  std::ofstream(scratch / "b.cc") << "mine";
  const auto written = WriteProject({{"a.cc", "a"}, {"b.cc", "b"}}, scratch / "");
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().message, HasSubstr("b.cc is there already; nothing was written"));
  EXPECT_THAT(scratch.Entries(), ElementsAre("b.cc"));
  fs::create_symlink("nowhere", scratch / "c.cc");
  EXPECT_FALSE(WriteProject({{"c.cc", "c"}}, scratch / "").ok());
  EXPECT_FALSE(fs::exists(scratch / "nowhere"));
}

// The last file cannot be written: its folder is missing.
TEST(Project, RemovesWhatItWroteWhenItFails) {
  const Scratch scratch;
  std::ofstream(scratch / "kept") << "mine";
  const auto written =
      WriteProject({{"a.cc", "a"}, {"missing/b.cc", "b"}}, scratch / "new/project");
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().message, HasSubstr("b.cc: cannot be written: No such file"));
  EXPECT_THAT(scratch.Entries(), ElementsAre("kept"));
}

TEST(Project, NeedsAFolder) {
  const Scratch scratch;
  std::ofstream(scratch / "file") << "mine";
  for (const char* folder : {"file", "file/below"}) {
    const auto written = WriteProject({{"a.cc", "a"}}, scratch / folder);
    ASSERT_FALSE(written.ok());
    EXPECT_THAT(written.error().message, HasSubstr("the folder cannot be made: Not a directory"));
  }
  EXPECT_THAT(WriteProject({{"a.cc", "a"}}, "/proc/none").error().message,
              StartsWith("/proc/none: the folder cannot be made: "));
}

}  // namespace
}  // namespace tenon::apps
