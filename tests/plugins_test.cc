// SPDX-License-Identifier: Apache-2.0
// Every way in which a plugin is refused, with a plugin that is broken in that way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/pipeline/components.h"
#include "core/pipeline/pipeline.h"
#include "core/plugins/fake_plugin_test.h"
#include "core/plugins/registry.h"
#include "core/plugins/report.h"
#include "tenon/decoding.h"

namespace tenon::core {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string Fixture(const std::string& name) { return std::string(FIXTURES) + "/" + name + ".so"; }

// What loading `file` alone is refused with, as `tenon plugins --why` shows it.
std::string RefusalOf(const std::string& file) {
  Registry registry;
  const auto added = registry.AddFile(file);
  if (added.ok()) return "loaded";
  if (registry.Refusals().size() != 1) return "not kept";
  const Refusal& kept = registry.Refusals()[0];
  EXPECT_EQ(kept.Text(), added.error().code + " " + added.error().message);
  EXPECT_EQ(kept.file, file);
  return kept.Text();
}

// An empty folder for one test.
fs::path Scratch(const std::string& name) {
  const fs::path folder = fs::path(TENON_BINARY_DIR) / "tests" / "plugins_test_scratch" / name;
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

fs::path CopyOf(const std::string& fixture, const fs::path& to) {
  fs::copy_file(Fixture(fixture), to, fs::copy_options::overwrite_existing);
  return to;
}

std::vector<SearchFolder> Folders(std::initializer_list<fs::path> paths) {
  std::vector<SearchFolder> folders;
  for (const fs::path& path : paths) folders.push_back({path.string(), "--plugin-dir", true});
  return folders;
}

// All families but attention, from fakes; the sampler is the fixture that cannot be made.
Result<Pipeline> LoadWithFakes(const std::string& yaml, Registry& registry) {
  static const PluginInfo* others = FakePlugin(
      "tenon.others",
      {FakeComponent(Family::kDevice, "cpu", 1), FakeComponent(Family::kAttention, "paged", 1),
       FakeComponent(Family::kQuant, "native", 1), FakeComponent(Family::kScheduler, "chunked", 1),
       FakeComponent(Family::kParallel, "none", 1),
       FakeComponent(Family::kDecoding, "sampler", 1)});
  registry.AddBuiltIn(FakeEntry(others));
  return LoadPipelineText(yaml, "p.yaml", FIXTURES, {}, registry);
}

TEST(PluginLoading, LoadsAGoodPlugin) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("good")).ok());
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ((*found)->file, Fixture("good"));
  EXPECT_STREQ((*found)->plugin->version, "1.2.0");
  EXPECT_THAT(registry.Refusals(), IsEmpty());
}

TEST(PluginLoading, LoadsOneFileOnce) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("good")).ok());
  ASSERT_TRUE(registry.AddFile(Fixture("good")).ok());
  EXPECT_TRUE(registry.Find(Family::kAttention, "acme.good").ok());
  EXPECT_THAT(registry.List(), SizeIs(1));
}

TEST(PluginRefusal, OtherAbi) {
  EXPECT_EQ(RefusalOf(Fixture("other_abi")),
            "TN103 other_abi.so: needs host ABI 2; this host offers 1. Rebuild it with this SDK");
}

TEST(PluginRefusal, LibraryMissing) {
  EXPECT_EQ(RefusalOf(Fixture("missing_library")),
            "TN101 missing_library.so: not loaded: libtenon_fixture_absent.so not found. Install "
            "it, or add its folder to LD_LIBRARY_PATH");
}

TEST(PluginRefusal, NoEntry) {
  EXPECT_THAT(RefusalOf(Fixture("no_entry")),
              StartsWith("TN102 no_entry.so: exports no tenon_plugin_v1"));
}

TEST(PluginRefusal, WrongStamp) {
  EXPECT_EQ(RefusalOf(Fixture("wrong_stamp")),
            std::string("TN104 wrong_stamp.so: built for windows-x86_64-msvc; this host is ") +
                kToolchainStamp + ". Rebuild it with this SDK on this kind of machine");
}

TEST(PluginRefusal, UndefinedSymbol) {
  EXPECT_THAT(RefusalOf(Fixture("undefined_symbol")),
              AllOf(StartsWith("TN101 undefined_symbol.so: not loaded: undefined symbol"),
                    HasSubstr("acme_nowhere")));
}

TEST(PluginRefusal, EntryThatReturnsNothing) {
  EXPECT_THAT(RefusalOf(Fixture("null_entry")),
              StartsWith("TN110 null_entry.so: malformed description: tenon_plugin_v1 returned "
                         "nothing"));
}

TEST(PluginRefusal, ShortDescriptor) {
  EXPECT_THAT(RefusalOf(Fixture("short_descriptor")),
              StartsWith("TN110 short_descriptor.so: malformed description: it has 8 bytes; "));
}

TEST(PluginRefusal, OptionTableThatContradictsItself) {
  EXPECT_THAT(RefusalOf(Fixture("bad_options")),
              StartsWith("TN110 bad_options.so: malformed description: acme.bad_options: option "
                         "tile has the default 512; 16 to 256 allowed"));
}

TEST(PluginRefusal, UnknownFamily) {
  EXPECT_THAT(RefusalOf(Fixture("unknown_family")),
              StartsWith("TN110 unknown_family.so: malformed description: acme.future: family 9 "
                         "is unknown to this host"));
}

TEST(PluginRefusal, FileThatIsNotThere) {
  EXPECT_EQ(
      RefusalOf(Fixture("nowhere")),
      "TN101 nowhere.so: not loaded: there is no such file. Check the path " + Fixture("nowhere"));
}

TEST(PluginRefusal, FileThatIsNoSharedObject) {
  const fs::path text = Scratch("text") / "text.so";
  std::ofstream(text) << "this is text, and more than the sixty-four bytes that a header needs.";
  EXPECT_EQ(RefusalOf(text.string()),
            "TN101 text.so: not loaded: it is no shared object. Rebuild it as a shared object for "
            "this machine");
}

TEST(PluginRefusal, FileOfAnotherMachine) {
  const fs::path other = CopyOf("good", Scratch("machine") / "other.so");
  std::fstream file(other, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(18);  // e_machine
  file.write("\x02\x00", 2);
  file.close();
  EXPECT_THAT(RefusalOf(other.string()),
              StartsWith("TN101 other.so: not loaded: it is built for another kind of machine"));
}

TEST(PluginRefusal, EveryCutOffFileIsRefusedWithoutACrash) {
  const fs::path cut = CopyOf("good", Scratch("cut") / "cut.so");
  const uint64_t whole = fs::file_size(cut);
  // Up to where the loaded part ends; what follows (sections, symbols) is not needed to load.
  int refused = 0;
  for (uint64_t size : {0, 1, 63, 64, 100, 500, 1000, 2000, 4000, 5000, 8000, 9000}) {
    if (size >= whole) continue;
    CopyOf("good", cut);
    fs::resize_file(cut, size);
    EXPECT_THAT(RefusalOf(cut.string()), StartsWith("TN101 cut.so: not loaded: it is ")) << size;
    ++refused;
  }
  EXPECT_GT(refused, 5);
}

TEST(PluginRefusal, ComponentThatThisMachineCannotRun) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("probe_fails")).ok());
  ASSERT_TRUE(registry.AddFile(Fixture("good")).ok());
  const auto found = registry.Find(Family::kAttention, "acme.flash");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, "TN105");
  EXPECT_EQ(found.error().message,
            "acme.flash: skipped: needs sm_80, found no CUDA device. Attention: acme.good");
  EXPECT_THAT(PluginsText(registry, true),
              HasSubstr("TN105 acme.flash: skipped: needs sm_80, found no CUDA device\n  file " +
                        Fixture("probe_fails")));
}

TEST(PluginRefusal, TwoOfOneName) {
  const fs::path folder = Scratch("twins");
  const fs::path a = CopyOf("good", folder / "a.so");
  const fs::path b = CopyOf("same_name", folder / "b.so");
  Registry registry;
  registry.AddFolders(Folders({folder}));
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, "TN106");
  EXPECT_EQ(found.error().message, "attention \"acme.good\" comes from " + a.string() + " and " +
                                       b.string() + "; pin a path or rename one with as:");
}

TEST(PluginRefusal, TwoOfOneNameAreToldApartByAPath) {
  const fs::path folder = Scratch("pinned");
  CopyOf("good", folder / "a.so");
  CopyOf("same_name", folder / "b.so");
  Registry registry;
  registry.AddFolders(Folders({folder}));
  ASSERT_TRUE(registry.AddFile(Fixture("same_name")).ok());
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ((*found)->file, Fixture("same_name"));
}

TEST(PluginRefusal, TwoOfOneNameAreToldApartByAs) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("good")).ok());
  ASSERT_TRUE(registry.AddFile(Fixture("same_name"), "b").ok());
  const auto good = registry.Find(Family::kAttention, "acme.good");
  const auto renamed = registry.Find(Family::kAttention, "b");
  ASSERT_TRUE(good.ok() && renamed.ok());
  EXPECT_EQ((*good)->file, Fixture("good"));
  EXPECT_EQ((*renamed)->file, Fixture("same_name"));
}

TEST(PluginRefusal, TwoPinnedOfOneNameAreStillTwo) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("good")).ok());
  ASSERT_TRUE(registry.AddFile(Fixture("same_name")).ok());
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, "TN106");
}

// Calls the one component of that name once: what it did to three logits of 0.
std::vector<float> CallOnce(Registry& registry, const std::string& name) {
  const auto found = registry.Find(Family::kDecoding, name);
  EXPECT_TRUE(found.ok()) << found.error().message;
  if (!found.ok()) return {};
  CreateArgs args;
  args.host = (*found)->host;
  Component* made = nullptr;
  EXPECT_EQ((*found)->info->create(&args, &made), Status::kOk);
  std::vector<float> logits(3);
  QueryFor<LogitProcessor>(*made)->Apply({}, {logits.data(), 3});
  (*found)->info->destroy(made);
  return logits;
}

TEST(PluginSearch, TwoBuildsOfOnePluginShareNoState) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("build_1/counting"), "one").ok());
  ASSERT_TRUE(registry.AddFile(Fixture("build_2/counting"), "two").ok());
  EXPECT_EQ(CallOnce(registry, "one"), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(CallOnce(registry, "one"), (std::vector<float>{2, 2, 1}));
  EXPECT_EQ(CallOnce(registry, "two"), (std::vector<float>{1, 1, 2}));
  EXPECT_EQ(CallOnce(registry, "one"), (std::vector<float>{3, 3, 1}));
  EXPECT_THAT(registry.Refusals(), IsEmpty());
}

// Both in one chain, each under its name, beside a third load of the first under its own.
TEST(PluginSearch, TwoBuildsOfOnePluginStandInOnePipeline) {
  Registry registry;
  const auto pipeline = LoadWithFakes(
      "model: a\n"
      "plugins: [{path: build_1/counting.so, as: one}, {path: build_2/counting.so, as: two},"
      " build_1/counting.so]\n"
      "decoding: [one, two, acme.counting]\n",
      registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  ASSERT_THAT(pipeline->decoding, SizeIs(3));
  EXPECT_EQ(pipeline->decoding[0].component->file, Fixture("build_1/counting"));
  EXPECT_EQ(pipeline->decoding[1].component->file, Fixture("build_2/counting"));
  EXPECT_EQ(pipeline->decoding[2].component->file, Fixture("build_1/counting"));
}

TEST(PluginSearch, AsGoesBeforeTheNamesOfSeveralComponents) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("two_components"), "mine").ok());
  EXPECT_TRUE(registry.Find(Family::kAttention, "mine.acme.one").ok());
  EXPECT_TRUE(registry.Find(Family::kAttention, "mine.acme.two").ok());
}

TEST(PluginSearch, EarlierFolderShadowsTheSameFileName) {
  const fs::path first = Scratch("first");
  const fs::path second = Scratch("second");
  const fs::path winner = CopyOf("good", first / "a.so");
  CopyOf("same_name", second / "a.so");
  Registry registry;
  registry.AddFolders(Folders({first, second}));
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ((*found)->file, winner.string());
  ASSERT_THAT(registry.Refusals(), SizeIs(1));
  EXPECT_EQ(registry.Refusals()[0].Text(), "a.so: not used: " + winner.string() + " comes first");
}

TEST(PluginSearch, EarlierFolderShadowsTheSamePlugin) {
  const fs::path first = Scratch("id_first");
  const fs::path second = Scratch("id_second");
  const fs::path winner = CopyOf("good", first / "new_name.so");
  CopyOf("good", second / "old_name.so");
  Registry registry;
  registry.AddFolders(Folders({first, second}));
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ((*found)->file, winner.string());
  EXPECT_THAT(PluginsText(registry, true),
              HasSubstr("attention \"acme.good\" of old_name.so: not used: " + winner.string() +
                        " comes first"));
}

TEST(PluginSearch, AnotherPluginOfTheSameNameIsNoCopy) {
  const fs::path first = Scratch("other_first");
  const fs::path second = Scratch("other_second");
  CopyOf("good", first / "a.so");
  CopyOf("same_name", second / "b.so");
  Registry registry;
  registry.AddFolders(Folders({first, second}));
  const auto found = registry.Find(Family::kAttention, "acme.good");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, "TN106");
}

TEST(PluginSearch, FolderWithBrokenFilesGivesTheGoodOnes) {
  const fs::path folder = Scratch("mixed");
  CopyOf("good", folder / "good.so");
  CopyOf("other_abi", folder / "other_abi.so");
  std::ofstream(folder / "broken.so") << "x";
  std::ofstream(folder / "readme.txt") << "x";
  Registry registry;
  registry.AddFolders(Folders({folder}));
  EXPECT_TRUE(registry.Find(Family::kAttention, "acme.good").ok());
  ASSERT_THAT(registry.Refusals(), SizeIs(2));
  EXPECT_EQ(registry.Refusals()[0].code, "TN101");
  EXPECT_EQ(registry.Refusals()[1].code, "TN103");
}

TEST(PluginSearch, MissingFolderIsRemarked) {
  Registry registry;
  registry.AddFolders({{"/nonexistent/plugins", "--plugin-dir", true},
                       {"/nonexistent/installed", "installed", false}});
  ASSERT_THAT(registry.Refusals(), SizeIs(1));
  EXPECT_THAT(registry.Refusals()[0].Text(),
              StartsWith("/nonexistent/plugins: no plugins from here: "));
}

TEST(PluginSearch, FoldersComeInTheOrderOfTheContract) {
  const char* before = std::getenv("TENON_PLUGIN_PATH");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TENON_PLUGIN_PATH", "/b::/c", 1);
  const auto folders = SearchFolders({"/a"});
  if (before != nullptr) setenv("TENON_PLUGIN_PATH", kept.c_str(), 1);
  ASSERT_THAT(folders, SizeIs(4));
  EXPECT_EQ(folders[0].path, "/a");
  EXPECT_EQ(folders[1].path, "/b");
  EXPECT_EQ(folders[2].path, "/c");
  EXPECT_THAT(folders[3].path, EndsWith("/lib/tenon/plugins"));
  EXPECT_EQ(folders[3].source, "installed");
}

TEST(PluginCreation, ConstructorThatThrowsTellsItsText) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("throwing")).ok());
  const auto found = registry.Find(Family::kDecoding, "acme.top_p");
  ASSERT_TRUE(found.ok());
  const RegisteredComponent& component = **found;
  for (const double p : {0.0, 0.5}) {
    OptionValue value;
    value.type = OptionType::kFloat;
    value.number = p;
    CreateArgs args;
    args.host = component.host;
    args.options = {{component.info->options, 1}, {&value, 1}};
    Component* made = nullptr;
    EXPECT_NE(component.info->create(&args, &made), Status::kOk);
    EXPECT_EQ(TakeFailure(),
              p == 0 ? "p must be above 0" : "the constructor threw something unknown");
    EXPECT_EQ(made, nullptr);
  }
}

TEST(PluginPipeline, NamesMorePluginsAndRenamesThem) {
  Registry registry;
  const auto pipeline = LoadWithFakes(
      "model: a\n"
      "plugins: [good.so, {path: ../fixtures/same_name.so, as: b}]\n"
      "attention: {use: b, tile: 128}\n",
      registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->Of(Family::kAttention).component->file, Fixture("same_name"));
  EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("tile"), 128);
  Registry other;
  const auto again = LoadWithFakes(pipeline->text, other);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->text, pipeline->text);
}

TEST(PluginPipeline, ThirdPartyIsUsedOnlyWhereItIsNamed) {
  Registry registry;
  const auto pipeline = LoadWithFakes("model: a\nplugins: [good.so]\n", registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->Of(Family::kAttention).component->name, "paged");
}

TEST(PluginPipeline, EveryBrokenPluginIsToldAtItsPlace) {
  Registry registry;
  const auto pipeline = LoadWithFakes(
      "model: a\n"
      "plugins:\n"
      "  - other_abi.so\n"
      "  - no_entry.so\n"
      "  - probe_fails.so\n"
      "attention: acme.flash\n",
      registry);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_EQ(pipeline.error().message,
            "TN103 p.yaml:3:5: other_abi.so: needs host ABI 2; this host offers 1. Rebuild it with "
            "this SDK\n"
            "    3 |   - other_abi.so\n"
            "      |     ^\n"
            "TN102 p.yaml:4:5: no_entry.so: exports no tenon_plugin_v1. If it is a plugin, "
            "describe it with TENON_PLUGIN\n"
            "    4 |   - no_entry.so\n"
            "      |     ^\n"
            "TN105 p.yaml:6:12: acme.flash: skipped: needs sm_80, found no CUDA device. Attention: "
            "paged\n"
            "    6 | attention: acme.flash\n"
            "      |            ^");
}

TEST(PluginPipeline, ConstructorThatThrowsIsToldWithItsPlace) {
  Registry registry;
  ASSERT_TRUE(registry.AddFile(Fixture("throwing")).ok());
  auto pipeline = LoadWithFakes("model: a\ndecoding: [acme.top_p]\n", registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  // It stands where the device would: what comes first is made first.
  pipeline->families[static_cast<uint32_t>(Family::kDevice)] = pipeline->decoding[0];
  const auto components = Components::Create(*pipeline);
  ASSERT_FALSE(components.ok());
  EXPECT_EQ(components.error().code, "TN108");
  EXPECT_EQ(components.error().message, "TN108 p.yaml:2:12: acme.top_p: p must be above 0");
}

TEST(PluginPipeline, InterfaceThatIsNotOfferedIsRefused) {
  Registry registry;
  auto pipeline =
      LoadWithFakes("model: a\nplugins: [hollow.so]\nattention: acme.hollow\n", registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  pipeline->families[static_cast<uint32_t>(Family::kDevice)] = pipeline->Of(Family::kAttention);
  const auto components = Components::Create(*pipeline);
  ASSERT_FALSE(components.ok());
  EXPECT_THAT(components.error().message,
              AllOf(StartsWith("TN108 p.yaml:3:12: acme.hollow: it offers no tenon.device/1"),
                    HasSubstr("hollow.so")));
}

}  // namespace
}  // namespace tenon::core
