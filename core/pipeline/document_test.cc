// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/pipeline/fake_set_test.h"

namespace tenon::core {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A folder of YAML files for one test.
class Files {
 public:
  explicit Files(const std::string& name)
      : folder_(fs::path(TENON_BINARY_DIR) / "tests" / "document_test_scratch" / name) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  fs::path folder_;
};

Result<Pipeline> Load(const std::string& path, const std::vector<std::string>& overrides = {}) {
  static Registry& registry = *[] {
    auto* made = new Registry;
    made->AddBuiltIn(FakeEntry(FakeSet()));
    return made;
  }();
  return LoadPipeline(path, overrides, registry);
}

TEST(Extends, MapsMergeAndListsReplace) {
  const Files files("merge");
  files.Write("base.yaml",
              "model: a\n"
              "attention: {use: paged, page_tokens: 32, kv_type: f32}\n"
              "decoding: [{use: penalties}, {use: sampler, temperature: 2}]\n"
              "memory: {context_tokens: 100}\n");
  const auto pipeline = Load(files.Write("top.yaml",
                                         "extends: base.yaml\n"
                                         "attention: {page_tokens: 8}\n"
                                         "decoding: [{use: sampler}]\n"
                                         "memory: {kv_tokens: 500}\n"));
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("page_tokens"), 8);
  EXPECT_EQ(std::string_view(pipeline->Of(Family::kAttention).options.View().Text("kv_type")),
            "f32");
  ASSERT_EQ(pipeline->decoding.size(), 1u);
  EXPECT_EQ(pipeline->decoding[0].options.View().Float("temperature"), 1);
  EXPECT_EQ(pipeline->memory.context_tokens, 100);
  EXPECT_EQ(pipeline->memory.kv_tokens, 500);
  EXPECT_TRUE(pipeline->notes.empty());
}

TEST(Extends, SwappedComponentKeepsWhatItAlsoHas) {
  const Files files("swap");
  files.Write("base.yaml", "model: a\nattention: {use: paged, page_tokens: 32, kv_type: f32}\n");
  const auto pipeline =
      Load(files.Write("top.yaml", "extends: base.yaml\nattention: {use: flash, tile: 128}\n"));
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  const ComponentChoice& attention = pipeline->Of(Family::kAttention);
  EXPECT_EQ(attention.component->name, "flash");
  EXPECT_EQ(attention.options.View().Int("tile"), 128);
  EXPECT_EQ(std::string_view(attention.options.View().Text("kv_type")), "f32");
  ASSERT_EQ(pipeline->notes.size(), 1u);
  EXPECT_EQ(pipeline->notes[0],
            "attention: now flash; kept kv_type; dropped page_tokens, which flash does not have");
}

TEST(Extends, OptionsOfTheOverlayItselfAreNotDropped) {
  const Files files("strict");
  files.Write("base.yaml", "model: a\nattention: {use: paged, page_tokens: 32}\n");
  const auto pipeline = Load(
      files.Write("top.yaml", "extends: base.yaml\nattention: {use: flash, page_tokens: 8}\n"));
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.error().message,
              HasSubstr("top.yaml:2:25: unknown option \"page_tokens\" of flash; it has tile, "
                        "kv_type\n    2 | attention: {use: flash, page_tokens: 8}\n"));
}

TEST(Extends, ErrorsNameTheFileThatTheyAreIn) {
  const Files files("marks");
  const std::string base = files.Write("base.yaml", "model: a\nattention: {kv_type: f17}\n");
  const std::string top = files.Write("top.yaml", "extends: base.yaml\nquant: {use: nativ}\n");
  const auto pipeline = Load(top);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_EQ(pipeline.error().message,
            "TN203 " + top +
                ":2:14: there is no quant component \"nativ\"; did you mean \"native\"? Quant: "
                "native\n"
                "    2 | quant: {use: nativ}\n"
                "      |              ^\n"
                "TN202 " +
                base +
                ":2:22: kv_type is \"f17\"; f32, f16, bf16 allowed; did you mean \"f16\"?\n"
                "    2 | attention: {kv_type: f17}\n"
                "      |                      ^");
}

TEST(Extends, CyclesAreErrors) {
  const Files files("cycle");
  files.Write("a.yaml", "extends: sub/b.yaml\n");
  files.Write("sub/b.yaml", "extends: ../a.yaml\n");
  const auto pipeline = Load(files.Path("a.yaml"));
  ASSERT_FALSE(pipeline.ok());
  EXPECT_EQ(pipeline.error().code, "TN207");
  EXPECT_THAT(pipeline.error().message, HasSubstr("b.yaml:1:10: extends a file that extends this"));
}

TEST(Extends, MissingFileIsAnErrorAtItsPlace) {
  const Files files("missing");
  const auto pipeline = Load(files.Write("a.yaml", "model: a\nextends: nowhere.yaml\n"));
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.error().message,
              HasSubstr("a.yaml:2:10: " + files.Path("nowhere.yaml") + ": there is no such file"));
}

TEST(Extends, RelativePathsStartFromTheFileThatHasThem) {
  const Files files("paths");
  files.Write("sub/base.yaml", "model: models/m.gguf\nadapters: {x: lora/x, y: /abs/y}\n");
  const auto pipeline = Load(files.Write("top.yaml", "extends: sub/base.yaml\nadapters: {z: z}\n"));
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->model, files.Path("sub/models/m.gguf"));
  EXPECT_EQ(pipeline->adapters.at("x"), files.Path("sub/lora/x"));
  EXPECT_EQ(pipeline->adapters.at("y"), "/abs/y");
  EXPECT_EQ(pipeline->adapters.at("z"), files.Path("z"));
}

TEST(Extends, VariablesAreExpandedInEveryFile) {
  const Files files("variables");
  setenv("TENON_TEST_BASE", "base", 1);
  files.Write("base.yaml", "model: ${TENON_TEST_MODEL:-a}\nattention: {page_tokens: ${X_:-8}}\n");
  const auto pipeline = Load(files.Write("top.yaml", "extends: ${TENON_TEST_BASE}.yaml\n"));
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->model, "a");
  EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("page_tokens"), 8);
}

TEST(LoadPipeline, UnreadableFilesAreErrors) {
  const Files files("unreadable");
  EXPECT_EQ(Load(files.Path("x.yaml")).error().message,
            "TN207 " + files.Path("x.yaml") + ": there is no such file");
  EXPECT_THAT(Load(files.Path("")).error().message, HasSubstr("is a folder"));
  const auto big = Load(files.Write("big.yaml", std::string(2 << 20, '#')));
  EXPECT_THAT(big.error().message, StartsWith("TN207 "));
}

TEST(LoadPipeline, BrokenPluginIsAnErrorAtItsPlace) {
  const Files files("plugins");
  files.Write("x.so", "this is no shared object, however long it is; and it is long enough now.");
  const std::string path = files.Write("a.yaml",
                                       "model: a\n"
                                       "plugins:\n"
                                       "  - x.so\n"
                                       "  - {path: y.so, as: Bad}\n"
                                       "  - {file: z.so}\n");
  const auto pipeline = Load(path);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.error().message,
              StartsWith("TN101 " + path + ":3:5: x.so: not loaded: it is no shared object"));
  EXPECT_THAT(pipeline.error().message, HasSubstr(":4:22: as: takes a lower_case name"));
  EXPECT_THAT(pipeline.error().message, HasSubstr(":5:6: unknown key \"file\" of a plugin"));
  EXPECT_THAT(pipeline.error().message, HasSubstr(":5:5: a plugin is a path, or {path:"));
}

TEST(ResolvePath, KnowsHomeAndAbsolutePaths) {
  EXPECT_EQ(ResolvePath("configs", "m.gguf"), "configs/m.gguf");
  EXPECT_EQ(ResolvePath("configs", "../m.gguf"), "m.gguf");
  EXPECT_EQ(ResolvePath("", "../m.gguf"), "../m.gguf");
  EXPECT_EQ(ResolvePath("configs", "/m.gguf"), "/m.gguf");
  EXPECT_EQ(ResolvePath("configs", "~/m.gguf"), std::string(std::getenv("HOME")) + "/m.gguf");
}

}  // namespace
}  // namespace tenon::core
