// SPDX-License-Identifier: Apache-2.0
// LoRA adapters against an independent implementation: each alone, and several in one batch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "nlohmann/json.hpp"
#include "tests/golden/golden.h"

namespace tenon::testing {
namespace {

using ::testing::HasSubstr;

const std::string kTree = TENON_SOURCE_DIR;
const std::string kA = kTree + "/tests/data/lora/a";
const std::string kB = kTree + "/../shared/reference/lora/b";
const std::vector<std::string> kExact = {"attention.kv_type=f32", "quant.activations=f32",
                                         "memory.context_tokens=512"};

std::vector<std::string> Exactly(const std::vector<std::string>& more) {
  std::vector<std::string> overrides = kExact;
  overrides.insert(overrides.end(), more.begin(), more.end());
  return overrides;
}

// The cases of an adapter's reference, which has the first step's log-probabilities only.
std::vector<GoldenCase> ReadReference(const std::string& folder) {
  const std::string path = folder + "/reference.json";
  std::vector<GoldenCase> cases = ReadGolden(path);
  std::ifstream file(path);
  const nlohmann::json document = nlohmann::json::parse(file);
  for (size_t i = 0; i < cases.size(); ++i) {
    const nlohmann::json& first = document["cases"][i]["first"];
    cases[i].top.push_back({first["ids"], first["logprobs"]});
  }
  return cases;
}

// Hands in all cases with that adapter; their outputs are there once the engine is idle.
std::vector<Output> Submit(apps::Session& session, const std::vector<GoldenCase>& cases,
                           int32_t adapter) {
  std::vector<Output> outputs(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    core::Request request;
    request.prompt = cases[i].ids;
    request.max_tokens = static_cast<int32_t>(cases[i].greedy.size());
    request.sampling.temperature = 0;
    request.logprobs = 8;
    request.adapter = adapter;
    request.on_event = [&output = outputs[i]](const core::TokenEvent& event) {
      if (event.token < 0) return;
      if (output.tokens.empty()) output.first_top.assign(event.top.begin(), event.top.end());
      output.tokens.push_back(event.token);
    };
    const auto submitted = session.engine().Submit(std::move(request));
    EXPECT_TRUE(submitted.ok()) << (submitted.ok() ? "" : submitted.error().message);
  }
  return outputs;
}

int32_t NumberOf(const apps::Session& session, const char* name) {
  const auto number = session.adapters().NumberOf(name);
  EXPECT_TRUE(number.ok()) << name;
  return number.ok() ? *number : -1;
}

bool SameBits(const std::vector<Output>& a, const std::vector<Output>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].tokens != b[i].tokens || a[i].first_top.size() != b[i].first_top.size()) return false;
    if (std::memcmp(a[i].first_top.data(), b[i].first_top.data(),
                    a[i].first_top.size() * sizeof(core::TokenLogprob)) != 0) {
      return false;
    }
  }
  return a.size() == b.size();
}

TEST(LoraPipeline, FollowsItsReferenceAlone) {
  const auto session = Open("lora.yaml", kExact);
  ASSERT_NE(session, nullptr);
  const std::vector<GoldenCase> cases = ReadReference(kA);
  ASSERT_FALSE(cases.empty());
  const std::vector<Output> with = Submit(*session, cases, NumberOf(*session, "a"));
  session->engine().RunUntilIdle();
  ExpectFollows(cases, with, 0.01);
  const std::vector<Output> without = Submit(*session, cases, -1);
  session->engine().RunUntilIdle();
  EXPECT_GT(std::abs(without[0].first_top[0].logprob - with[0].first_top[0].logprob), 0.02)
      << "the adapter must do something, or this test shows nothing";
}

// Sequences of both adapters and of none in one batch: each as its own reference says, and those
// without as in a pipeline that has no adapters, to the bit.
void ExpectMixedBatchFollows(const std::vector<std::string>& overrides) {
  const std::vector<GoldenCase> a = ReadReference(kA), b = ReadReference(kB);
  const auto session = Open("lora.yaml", Exactly(overrides));
  const auto plain = Open("default.yaml", Exactly(overrides));
  ASSERT_NE(session, nullptr);
  ASSERT_NE(plain, nullptr);
  const std::vector<Output> none_before = Submit(*plain, a, -1);
  plain->engine().RunUntilIdle();
  const std::vector<Output> with_a = Submit(*session, a, NumberOf(*session, "a"));
  const std::vector<Output> none = Submit(*session, a, -1);
  const std::vector<Output> with_b = Submit(*session, b, NumberOf(*session, "b"));
  session->engine().RunUntilIdle();
  ExpectFollows(a, with_a, 0.01);
  ExpectFollows(b, with_b, 0.01);
  EXPECT_TRUE(SameBits(none, none_before));
  EXPECT_TRUE(session->engine().Audit());
}

class MixedLora : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(MixedLora, FollowsEachReferenceInOneBatch) {
  if (!std::filesystem::exists(kB)) GTEST_SKIP() << kB << " is not here";
  std::vector<std::string> overrides = GetParam();
  overrides.push_back("adapters.b=" + kB);
  ExpectMixedBatchFollows(overrides);
}

INSTANTIATE_TEST_SUITE_P(All, MixedLora,
                         ::testing::Values(std::vector<std::string>{},
                                           std::vector<std::string>{"attention.use=reference"},
                                           std::vector<std::string>{"scheduler.max_batch_tokens=13",
                                                                    "scheduler.chunk_tokens=3"},
                                           std::vector<std::string>{"device.threads=3"},
                                           std::vector<std::string>{"memory.context_tokens=64",
                                                                    "memory.kv_tokens=128"}));

const std::string kTiny = "model=" + kTree + "/tests/data/models/llama";

std::string ErrorOf(const std::vector<std::string>& overrides) {
  apps::SessionOptions options;
  options.pipeline = kTree + "/configs/lora.yaml";
  options.overrides = overrides;
  const auto session = apps::Session::Open(options);
  return session.ok() ? "opened" : session.error().message;
}

TEST(LoraPipeline, RefusesAnAdapterOfAnotherModel) {
  const std::string error = ErrorOf({kTiny});
  EXPECT_THAT(error, HasSubstr("lora.yaml: adapters: a: "));
  EXPECT_THAT(error, HasSubstr("q_proj\": lora_A is [4, 576]"));
}

TEST(LoraPipeline, RefusesAFolderThatIsNotThere) {
  const std::string error = ErrorOf({kTiny, "adapters.a=/nowhere"});
  EXPECT_THAT(error, HasSubstr("adapters: a: "));
  EXPECT_THAT(error, HasSubstr("/nowhere/adapter_config.json"));
}

TEST(LoraPipeline, RefusesTheComponentAsAQuant) {
  const std::string error = ErrorOf({kTiny, "quant=lora"});
  EXPECT_THAT(error, HasSubstr("TN107 "));
  EXPECT_THAT(error, HasSubstr("\"lora\" applies LoRA adapters and stores no weights"));
  EXPECT_THAT(error, HasSubstr("native"));
  EXPECT_THAT(error, Not(HasSubstr(", lora")));
}

TEST(LoraPipeline, NamesTheFoldersWhereNoPluginAppliesAdapters) {
  core::Registry registry;
  const std::filesystem::path built = TENON_BINARY_DIR "/lib/tenon/plugins";
  for (const auto& entry : std::filesystem::directory_iterator(built)) {
    const std::string name = entry.path().filename().string();
    const auto has = [&name](const char* part) { return name.find(part) != std::string::npos; };
    // Where there is no CUDA driver, plugins for it stay closed.
    if (has("lora") || has("cuda") || has("cublas")) continue;
    ASSERT_TRUE(registry.AddFile(entry.path().string()).ok()) << entry.path();
  }
  const auto pipeline = core::LoadPipeline(kTree + "/configs/lora.yaml", {kTiny}, registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  const auto found = apps::FindAdapterComponent(*pipeline, registry, {"/my/plugins"});
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.error().message, HasSubstr("no quant component here claims"));
  EXPECT_THAT(found.error().message, HasSubstr("/my/plugins"));
}

TEST(LoraPipeline, ListsTheAdaptersThatThereAre) {
  const auto session = Open("lora.yaml", kExact);
  ASSERT_NE(session, nullptr);
  const auto unknown = session->adapters().NumberOf("b");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().message, "adapter \"b\" is not in the pipeline; it has a");
  ASSERT_EQ(session->adapters().All().size(), 1u);
  const models::StoredAdapter& a = session->adapters().All()[0].stored;
  EXPECT_EQ(a.Rank(), 4);
  EXPECT_THAT(a.Targets(), ::testing::ElementsAre("q_proj", "v_proj"));
  EXPECT_EQ(a.Matrices().size(), 60u);
}

}  // namespace
}  // namespace tenon::testing
