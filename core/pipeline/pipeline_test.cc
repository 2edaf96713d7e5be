// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pipeline/fake_set_test.h"

namespace tenon::core {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(LoadPipeline, FamiliesLeftOutGetTheirDefaults) {
  const auto pipeline = LoadFake("model: smollm2-135m-instruct\n");
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->model, "smollm2-135m-instruct");
  EXPECT_EQ(pipeline->Of(Family::kAttention).component->name, "paged");
  EXPECT_TRUE(pipeline->Of(Family::kAttention).is_default);
  EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("page_tokens"), 16);
  ASSERT_EQ(pipeline->decoding.size(), 2u);
  EXPECT_EQ(pipeline->decoding[0].component->name, "penalties");
  EXPECT_EQ(pipeline->decoding[1].component->name, "sampler");
  EXPECT_TRUE(pipeline->decoding[1].is_default);
  EXPECT_EQ(pipeline->memory.context_tokens, 0);
}

TEST(LoadPipeline, ReadsEveryKindOfOption) {
  const auto pipeline = LoadFake(
      "model: a\n"
      "device: {use: cpu, threads: auto}\n"
      "attention: {page_tokens: \"32\"}\n"
      "quant: {use: native, fast: false, label: \"two words\"}\n"
      "scheduler: chunked\n"
      "parallel:\n"
      "decoding:\n"
      "  - {use: sampler, temperature: 0.25}\n"
      "memory: {context_tokens: 2048, kv_tokens: auto}\n");
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->Of(Family::kDevice).options.View().Int("threads"), 0);
  EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("page_tokens"), 32);
  EXPECT_FALSE(pipeline->Of(Family::kQuant).options.View().Bool("fast"));
  EXPECT_EQ(std::string_view(pipeline->Of(Family::kQuant).options.View().Text("label")),
            "two words");
  EXPECT_EQ(pipeline->decoding[0].options.View().Float("temperature"), 0.25);
  EXPECT_EQ(pipeline->memory.context_tokens, 2048);
  EXPECT_EQ(pipeline->memory.kv_tokens, 0);
  EXPECT_TRUE(pipeline->memory.prefix_cache);
  EXPECT_EQ(pipeline->Of(Family::kDevice).where, "p.yaml:2:15");
}

TEST(LoadPipeline, CopiesShareTheirOptions) {
  std::vector<Pipeline> copies;
  {
    const auto pipeline = LoadFake("model: a\nquant: {label: a rather long text to own}\n");
    ASSERT_TRUE(pipeline.ok());
    copies.push_back(*pipeline);
  }
  copies.push_back(copies[0]);
  copies.erase(copies.begin());
  EXPECT_EQ(std::string_view(copies[0].Of(Family::kQuant).options.View().Text("label")),
            "a rather long text to own");
}

TEST(LoadPipeline, UnknownOptionHasPlaceSuggestionLineAndCaret) {
  EXPECT_EQ(ErrorOf("model: a\nattention:\n  use: flash\n  tiles: 64\n"),
            "TN201 p.yaml:4:3: unknown option \"tiles\" of flash; did you mean \"tile\"?\n"
            "    4 |   tiles: 64\n"
            "      |   ^");
}

TEST(LoadPipeline, BadValueNamesTheValueAndThoseAllowed) {
  EXPECT_EQ(ErrorOf("model: a\nattention:\n  use: flash\n  tile: 512\n"),
            "TN202 p.yaml:4:9: tile is 512; 16 to 256 allowed\n"
            "    4 |   tile: 512\n"
            "      |         ^");
  EXPECT_THAT(ErrorOf("model: a\nattention: {page_tokens: [1]}\n"),
              StartsWith("TN202 p.yaml:2:26: page_tokens is a list; 1 to 256 tokens allowed\n"));
  EXPECT_THAT(ErrorOf("model: a\nattention: {page_tokens: }\n"),
              StartsWith("TN202 p.yaml:2:13: page_tokens is empty; 1 to 256 tokens allowed\n"));
  EXPECT_THAT(ErrorOf("model: a\nquant: {fast: yes}\n"),
              StartsWith("TN202 p.yaml:2:15: fast is \"yes\"; true, false allowed\n"));
}

TEST(LoadPipeline, WrongFamilyAndUnknownComponentsNameTheRightOnes) {
  EXPECT_EQ(ErrorOf("model: a\nattention: {use: acme.top_p}\n"),
            "TN107 p.yaml:2:18: \"acme.top_p\" is a decoding component; attention expected. "
            "Attention: flash, paged, reference\n"
            "    2 | attention: {use: acme.top_p}\n"
            "      |                  ^");
  EXPECT_EQ(ErrorOf("model: a\nattention: pagd\n"),
            "TN203 p.yaml:2:12: there is no attention component \"pagd\"; did you mean \"paged\"? "
            "Attention: flash, paged, reference\n"
            "    2 | attention: pagd\n"
            "      |            ^");
}

TEST(LoadPipeline, AllErrorsOfAFileAreTold) {
  EXPECT_EQ(ErrorOf("atention: {use: paged}\n"
                    "attention: {use: flash, tile: 1, tile: 2, kv_type: f8}\n"
                    "quant: {use: ${TENON_NO_SUCH_VARIABLE}}\n"
                    "decoding:\n"
                    "  - {temperature: 1}\n"
                    "memory: {tokens: 5}\n"),
            "TN205 p.yaml: there is no model; add model: with a name that `tenon pull` knows, a "
            ".gguf file or a Hugging Face folder\n"
            "TN201 p.yaml:1:1: unknown key \"atention\"; did you mean \"attention\"?\n"
            "    1 | atention: {use: paged}\n"
            "      | ^\n"
            "TN202 p.yaml:2:31: tile is 1; 16 to 256 allowed\n"
            "    2 | attention: {use: flash, tile: 1, tile: 2, kv_type: f8}\n"
            "      |                               ^\n"
            "TN204 p.yaml:2:34: the key \"tile\" is there twice; first in line 2\n"
            "    2 | attention: {use: flash, tile: 1, tile: 2, kv_type: f8}\n"
            "      |                                  ^\n"
            "TN202 p.yaml:2:52: kv_type is \"f8\"; f32, f16, bf16 allowed\n"
            "    2 | attention: {use: flash, tile: 1, tile: 2, kv_type: f8}\n"
            "      |                                                    ^\n"
            "TN206 p.yaml:3:14: the environment variable TENON_NO_SUCH_VARIABLE is not set; set "
            "it, or write ${TENON_NO_SUCH_VARIABLE:-default}\n"
            "    3 | quant: {use: ${TENON_NO_SUCH_VARIABLE}}\n"
            "      |              ^\n"
            "TN202 p.yaml:5:5: an item of decoding without use:, which names it\n"
            "    5 |   - {temperature: 1}\n"
            "      |     ^\n"
            "TN201 p.yaml:6:10: unknown option \"tokens\" of memory; it has context_tokens, "
            "kv_tokens, prefix_cache, offload, offload_tokens\n"
            "    6 | memory: {tokens: 5}\n"
            "      |          ^");
}

TEST(LoadPipeline, FamilyWithoutAnyComponentIsAnError) {
  Registry empty;
  const auto pipeline = LoadPipelineText("model: a\n", "p.yaml", "", {}, empty);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_EQ(pipeline.error().code, "TN203");
  EXPECT_THAT(pipeline.error().message,
              HasSubstr("TN203 p.yaml: there is no usable attention component to default to"));
  EXPECT_THAT(pipeline.error().message,
              HasSubstr("TN203 p.yaml: there is no usable decoding component to default to"));
}

TEST(LoadPipeline, MisshapenDocumentsAreErrors) {
  for (const char* yaml : {"- a\n",
                           "text",
                           "3",
                           "[]",
                           "model: [a]\n",
                           "model: {a: b}\n",
                           "model: \"\"\n",
                           "model:\n",
                           "model: a\nplugins: x\n",
                           "model: a\nplugins: [[]]\n",
                           "model: a\nadapters: x\n",
                           "model: a\nadapters: {x: [1]}\n",
                           "model: a\nmemory: [1]\n",
                           "model: a\nserve: [1]\n",
                           "model: a\nserve: {workers: 0}\n",
                           "model: a\ndecoding: []\n",
                           "model: a\ndecoding: [[]]\n",
                           "model: a\nattention: [paged]\n",
                           "model: a\nattention: {use: [paged]}\n",
                           "model: a\nattention: {use: }\n",
                           "model: a\nextends: [x]\n",
                           "model: a\nextends:\n",
                           "model: a\n<<: {quant: native}\n",
                           "model: a\nmemory: {context_tokens: -1}\n"}) {
    EXPECT_THAT(ErrorOf(yaml), StartsWith("TN20")) << yaml;
  }
}

TEST(Dump, IsCompleteAndLoadsAgain) {
  const auto pipeline = LoadFake(
      "model: smollm2-135m-instruct\n"
      "adapters: {a: \"dir/with space\"}\n"
      "quant: {fast: false, label: \"null\"}\n"
      "memory: {kv_tokens: 4096}\n"
      "serve: {workers: 2}\n");
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->text,
            "model: smollm2-135m-instruct\n"
            "adapters:\n"
            "  a: \"dir/with space\"\n"
            "device: {use: cpu, threads: 0}\n"
            "attention: {use: paged, page_tokens: 16, kv_type: f16}\n"
            "quant: {use: native, fast: false, label: \"null\"}\n"
            "scheduler: {use: chunked, max_batch_tokens: 512}\n"
            "parallel: {use: none}\n"
            "decoding:\n"
            "  - {use: penalties}\n"
            "  - {use: sampler, temperature: 1}\n"
            "memory: {context_tokens: auto, kv_tokens: 4096, prefix_cache: true, "
            "offload: none, offload_tokens: auto}\n"
            "serve: {workers: 2}\n");
  const auto again = LoadFake(pipeline->text);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->text, pipeline->text);
}

TEST(Memory, AnOffloadFolderIsSeenFromTheFile) {
  const auto pipeline = LoadFake(
      "model: m\nmemory: {offload: some/place, offload_tokens: 500, prefix_cache: false}\n");
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_THAT(pipeline->memory.offload, testing::EndsWith("some/place"));
  EXPECT_EQ(pipeline->memory.offload_tokens, 500);
  EXPECT_FALSE(pipeline->memory.prefix_cache);
  const auto again = LoadFake(pipeline->text);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->text, pipeline->text);
  EXPECT_THAT(ErrorOf("model: m\nmemory: {offload: \"\"}\n"), StartsWith("TN202"));
}

TEST(Dump, StrangeTextsLoadAgain) {
  for (const char* label : {"\"\"",
                            "'~'",
                            "\"a\\\"b\\\\c\"",
                            "\"two\\nlines\\t\"",
                            "\"$${HOME}\"",
                            "'# no comment'",
                            "'- x'",
                            "'{a: b}'",
                            "'*a'",
                            "'&a'",
                            "'1e3'",
                            "'-1'",
                            "'--'",
                            "'---'",
                            "'...'",
                            "'null'",
                            "'NULL'",
                            "'a: b'",
                            "'\xc3\xa9'",
                            "' spaced '",
                            "'%'",
                            "'@'",
                            "'!x'"}) {
    const auto pipeline = LoadFake(std::string("model: a\nquant: {label: ") + label + "}\n");
    ASSERT_TRUE(pipeline.ok()) << label << pipeline.error().message;
    const auto again = LoadFake(pipeline->text);
    ASSERT_TRUE(again.ok()) << label << again.error().message;
    EXPECT_EQ(again->Of(Family::kQuant).options.texts(),
              pipeline->Of(Family::kQuant).options.texts())
        << label;
  }
}

TEST(IsModelPath, TellsPathsFromNames) {
  for (const char* path : {"./m", "m.gguf", "/abs/m", ".", "..", "~/m", "a/b"}) {
    EXPECT_TRUE(IsModelPath(path)) << path;
  }
  for (const char* name : {"smollm2-135m-instruct", "all-minilm-l6-v2", "m.v1"}) {
    EXPECT_FALSE(IsModelPath(name)) << name;
  }
}

}  // namespace
}  // namespace tenon::core
