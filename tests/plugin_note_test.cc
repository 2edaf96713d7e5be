// SPDX-License-Identifier: Apache-2.0
// Plugins whose note says enough: their initialisers abort, so that a test that ends shows that
// they were not opened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/plugins/elf_file.h"
#include "core/plugins/plugin_note.h"
#include "core/plugins/registry.h"
#include "core/plugins/report.h"
#include "tenon/plugin_note.h"

namespace tenon::core {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Fixture(const std::string& name) { return std::string(FIXTURES) + "/" + name + ".so"; }

// A copy of the fixture "unopened" with four bytes of its note set; `at` from the note's begin.
std::string Spoilt(const std::string& name, size_t at, uint32_t value) {
  std::ifstream in(Fixture("unopened"), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  const size_t owner = bytes.find(std::string("Tenon\0\0\0", 8));
  EXPECT_NE(owner, std::string::npos);
  bytes.replace(owner - 12 + at, 4, std::string(reinterpret_cast<const char*>(&value), 4));
  const fs::path path = fs::path(TENON_BINARY_DIR) / "tests" / (name + ".so");
  std::ofstream(path, std::ios::binary) << bytes;
  return path.string();
}

std::string RefusalOf(const std::string& file) {
  Registry registry;
  const auto added = registry.AddFile(file);
  return added.ok() ? "loaded" : registry.Refusals().at(0).Text();
}

TEST(PluginNote, SaysWhatTheFileIs) {
  const auto note = ReadElfNote(Fixture("unopened"), kNoteOwner, kNoteType);
  ASSERT_TRUE(note.has_value());
  EXPECT_THAT(*note, HasSubstr("id=acme.unopened\nversion=1.0.0\nfamilies=attention\n"));
  EXPECT_THAT(*note, HasSubstr(" impossible_isa\n"));
  EXPECT_FALSE(ReadElfNote(Fixture("good"), kNoteOwner, kNoteType).has_value());
  EXPECT_FALSE(ReadElfNote(Fixture("unopened"), "Other", kNoteType).has_value());
}

TEST(PluginNote, KeepsAPluginForAnotherProcessorUnopened) {
  const std::string expected =
      "TN105 unopened.so: not opened: needs impossible_isa, which this processor lacks. Build it "
      "for this processor";
  EXPECT_EQ(RefusalOf(Fixture("unopened")), expected);
  Registry registry;
  EXPECT_FALSE(registry.AddFile(Fixture("unopened")).ok());
  EXPECT_THAT(PluginsText(registry, true), HasSubstr(expected));
}

TEST(PluginNote, KeepsAPluginOfAnotherAbiUnopened) {
  EXPECT_EQ(
      RefusalOf(Spoilt("note_of_abi_7", 20, 7)),
      "TN103 note_of_abi_7.so: needs host ABI 7; this host offers 1. Rebuild it with this SDK");
}

TEST(PluginNote, KeepsAPluginWithABrokenNoteUnopened) {
  EXPECT_THAT(
      RefusalOf(Spoilt("note_of_many_bytes", 24, 0xffffffff)),
      StartsWith("TN110 note_of_many_bytes.so: malformed description: its note is cut off"));
}

TEST(PluginNote, KeepsAPluginForANewerCudaUnopened) {
  EXPECT_THAT(
      RefusalOf(Fixture("unopened_cuda")),
      StartsWith("TN105 unopened_cuda.so: not opened: needs CUDA 99, and this machine has "));
  EXPECT_THAT(RefusalOf(Fixture("unopened_cuda_x")),
              StartsWith("TN110 unopened_cuda_x.so: malformed description: its note asks for CUDA "
                         "\"1x\"; a whole number allowed"));
}

TEST(PluginNote, HoldsCudaAgainstTheDriver) {
  const auto with = [](const std::string& name, int32_t (*driver)()) {
    const auto refusal = CheckPluginCuda(Fixture(name), driver);
    return refusal ? refusal->Text() : "may be opened";
  };
  const auto none = [] { return 0; };
  const auto older = [] { return 12; };
  const auto same = [] { return 99; };
  const auto newer = [] { return 100; };
  EXPECT_EQ(with("unopened_cuda", none),
            "TN105 unopened_cuda.so: not opened: needs CUDA 99, and this machine has no CUDA "
            "driver. Install a driver for it, or a build of the plugin for this machine");
  EXPECT_THAT(with("unopened_cuda", older),
              HasSubstr("needs CUDA 99, and this machine has a driver for CUDA 12. Install"));
  EXPECT_EQ(with("unopened_cuda", same), "may be opened");
  EXPECT_EQ(with("unopened_cuda", newer), "may be opened");
  EXPECT_EQ(with("noted", none), "may be opened");
  EXPECT_EQ(with("good", none), "may be opened");
}

TEST(PluginNote, LetsAPluginForThisProcessorIn) {
  EXPECT_EQ(RefusalOf(Fixture("noted")), "loaded");
  EXPECT_EQ(RefusalOf(Fixture("good")), "loaded");
}

}  // namespace
}  // namespace tenon::core
