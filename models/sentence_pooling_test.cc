// SPDX-License-Identifier: Apache-2.0
#include "models/sentence_pooling.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/tiny_bert.h"

namespace tenon::models {
namespace {

using testing::EmptyFolder;
using ::testing::HasSubstr;
using testing::WriteFile;

constexpr const char* kModules =
    R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
        {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
        {"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}])";

// A model's folder with these files; empty: left out.
std::string Folder(const std::string& modules, const std::string& pooling,
                   const std::string& limits = "") {
  const auto folder = EmptyFolder("pooling");
  std::filesystem::create_directories(folder / "1_Pooling");
  if (!modules.empty()) WriteFile(folder / "modules.json", modules);
  if (!pooling.empty()) WriteFile(folder / "1_Pooling" / "config.json", pooling);
  if (!limits.empty()) WriteFile(folder / "sentence_bert_config.json", limits);
  return folder.string();
}

SentencePooling Read(const std::string& path, bool encoder = true) {
  const auto pooling = ReadSentencePooling(path, encoder);
  EXPECT_TRUE(pooling.ok()) << pooling.error().message;
  return pooling.ok() ? *pooling : SentencePooling{};
}

std::string ErrorOf(const std::string& path, Status status = Status::kUnsupported) {
  const auto pooling = ReadSentencePooling(path, true);
  if (pooling.ok()) return "no error";
  EXPECT_EQ(pooling.error().status, status) << pooling.error().message;
  return pooling.error().message;
}

TEST(SentencePooling, ReadsModulesModeAndLimit) {
  const SentencePooling read =
      Read(Folder(kModules, R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})",
                  R"({"max_seq_length":256,"do_lower_case":false})"));
  EXPECT_EQ(read.pooling, Pooling::kCls);
  EXPECT_TRUE(read.normalise);
  EXPECT_EQ(read.max_tokens, 256);
  for (const auto& [key, pooling] : {std::pair{"mean_tokens", Pooling::kMean},
                                     {"max_tokens", Pooling::kMax},
                                     {"lasttoken", Pooling::kLastToken}}) {
    const std::string config = R"({"pooling_mode_)" + std::string(key) + R"(":true})";
    EXPECT_EQ(Read(Folder(kModules, config)).pooling, pooling) << key;
  }
}

TEST(SentencePooling, NormalisesOnlyWhereAModuleSaysSo) {
  const std::string modules =
      R"([{"path":"","type":"sentence_transformers.models.Transformer"},
          {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
          {"path":"2_Dropout","type":"sentence_transformers.models.Dropout"}])";
  const SentencePooling read = Read(Folder(modules, R"({"pooling_mode_mean_tokens":true})"));
  EXPECT_FALSE(read.normalise);
  EXPECT_EQ(read.max_tokens, 0);
}

TEST(SentencePooling, FallsBackByTheKindOfModel) {
  EXPECT_EQ(Read(Folder("", "")).pooling, Pooling::kMean);
  EXPECT_EQ(Read(Folder("", ""), false).pooling, Pooling::kLastToken);
  EXPECT_TRUE(Read(Folder("", "")).normalise);
  EXPECT_EQ(Read(Folder("", "", R"({"max_seq_length":null})")).max_tokens, 0);
}

TEST(SentencePooling, ReadsGgufs) {
  const auto folder = EmptyFolder("pooling_gguf");
  const std::string path =
      WriteFile(folder / "m.gguf", testing::TinyBert().Gguf().Bytes());  // pooling_type 2
  EXPECT_EQ(Read(path).pooling, Pooling::kCls);
  EXPECT_TRUE(Read(path).normalise);
  testing::GgufWriter rank;
  rank.Text("general.architecture", "bert");
  rank.U32("bert.pooling_type", 4);
  EXPECT_THAT(ErrorOf(WriteFile(folder / "rank.gguf", rank.Bytes())),
              HasSubstr("pooling_type is 4; mean (1), cls (2) and last (3)"));
}

TEST(SentencePooling, RefusesWhatItCannotCompute) {
  EXPECT_THAT(ErrorOf(Folder(kModules, R"({"pooling_mode_mean_tokens":true,
                                           "pooling_mode_cls_token":true})")),
              HasSubstr("2 pooling modes are joined"));
  EXPECT_THAT(ErrorOf(Folder(kModules, R"({"pooling_mode_weightedmean_tokens":true})")),
              HasSubstr("pooling_mode_weightedmean_tokens; mean, cls, max and lasttoken"));
  EXPECT_THAT(ErrorOf(Folder(R"([{"path":"3_Dense","type":"x.Dense"}])", "")),
              HasSubstr("a module of type \"x.Dense\""));
  EXPECT_THAT(ErrorOf(Folder(R"([{"path":"0_Transformer","type":"x.Transformer"}])", "")),
              HasSubstr("0_Transformer\"; give that folder"));
  EXPECT_THAT(ErrorOf(Folder("", "", R"({"do_lower_case":true})")),
              HasSubstr("do_lower_case is true"));
}

TEST(SentencePooling, RefusesFilesThatMakeNoSense) {
  const Status invalid = Status::kInvalid;
  EXPECT_THAT(ErrorOf(Folder("{}", ""), invalid), HasSubstr("is no list of modules"));
  EXPECT_THAT(ErrorOf(Folder("[]", ""), invalid), HasSubstr("is no list of modules"));
  EXPECT_THAT(ErrorOf(Folder("[", ""), invalid), HasSubstr("no valid JSON"));
  EXPECT_THAT(ErrorOf(Folder("[]},\"x\":[0", ""), invalid), HasSubstr("modules.json"));
  EXPECT_THAT(ErrorOf(Folder(R"([{"type":"x.Pooling"}])", ""), invalid), HasSubstr("module 0"));
  for (const char* path : {"..", "a/../../b", "/etc"}) {
    const std::string modules = R"([{"type":"x.Pooling","path":")" + std::string(path) + "\"}]";
    EXPECT_THAT(ErrorOf(Folder(modules, ""), invalid), HasSubstr("leads out of the folder"));
  }
  EXPECT_THAT(ErrorOf(Folder(kModules, "{}"), invalid), HasSubstr("no pooling_mode_"));
  EXPECT_THAT(ErrorOf(Folder(kModules, ""), Status::kNotFound), HasSubstr("1_Pooling"));
  EXPECT_THAT(ErrorOf(Folder("", "", R"({"max_seq_length":0})"), invalid),
              HasSubstr("max_seq_length is 0; an integer from 1"));
}

}  // namespace
}  // namespace tenon::models
