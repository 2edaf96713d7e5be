// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "nlohmann/json.hpp"
#include "tests/golden/golden.h"

// Random models of three layers in safetensors files (tests/data/models, and the reference data
// beside this checkout where it is), against an independent implementation.
namespace tenon::testing {
namespace {

constexpr const char* kModels[] = {
    "llama",   "mistral",   "qwen2",     "qwen3",       "phi3",        "gemma2", "gemma3_text",
    "mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v2", "deepseek_v3", "gpt_oss"};
constexpr const char* kAttention[] = {"reference", "flash", "paged"};

// Empty where the model is not here.
std::string Folder(const std::string& model) {
  const std::string folders[] = {TENON_SOURCE_DIR "/tests/data/models/",
                                 TENON_SHARED_DIR "/reference/tiny/"};
  for (const std::string& folder : folders) {
    if (std::filesystem::exists(folder + model)) return folder + model;
  }
  return "";
}

struct Prompt {
  std::vector<int32_t> ids;
  std::vector<int32_t> argmax;     // of each position
  std::vector<float> last_logits;  // [vocabulary]
};

std::vector<Prompt> ReadPrompts(const std::string& model) {
  std::ifstream file(Folder(model) + "/reference.json");
  std::vector<Prompt> prompts;
  const nlohmann::json document = nlohmann::json::parse(file);
  for (const auto& one : document["cases"]) {
    prompts.push_back({one["ids"], one["argmax"], one["last_logits"]});
  }
  EXPECT_GT(prompts.size(), 1U) << model;
  return prompts;
}

std::unique_ptr<apps::Session> OpenTiny(const std::string& model, const std::string& attention,
                                        std::vector<std::string> overrides = {}) {
  overrides.push_back("model=" + Folder(model));
  overrides.push_back("attention.use=" + attention);
  return Open("exact.yaml", std::move(overrides));
}

void Submit(apps::Session& session, const std::vector<int32_t>& ids,
            std::function<void(const core::TokenEvent&)> on_event = {}) {
  core::Request request;
  request.prompt = ids;
  request.max_tokens = 1;
  request.sampling.temperature = 0;
  request.logprobs = 2;
  request.on_event = std::move(on_event);
  const auto submitted = session.engine().Submit(std::move(request));
  ASSERT_TRUE(submitted.ok()) << submitted.error().message;
}

void ExpectLogits(const apps::Session& session, core::Program& program, int32_t row,
                  const std::vector<float>& wanted) {
  std::vector<float> logits(wanted.size());
  ASSERT_EQ(session.model().model->Info().vocabulary, static_cast<int32_t>(wanted.size()));
  ASSERT_EQ(program.ReadRow(row, logits.data()), Status::kOk);
  float largest = 0;
  for (const float logit : wanted) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_NEAR(logits[i], wanted[i], 2e-3 * largest) << "logit " << i << " of row " << row;
  }
}

class TinyModels : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (Folder(GetParam()).empty()) GTEST_SKIP() << "the reference data is not here";
  }
};

TEST_P(TinyModels, HaveTheReferenceLogitsAlone) {
  for (const char* attention : kAttention) {
    SCOPED_TRACE(attention);
    const auto session = OpenTiny(GetParam(), attention);
    ASSERT_NE(session, nullptr);
    for (const Prompt& prompt : ReadPrompts(GetParam())) {
      Submit(*session, prompt.ids);
      session->engine().RunUntilIdle();
      ExpectLogits(*session, session->program(), 0, prompt.last_logits);
    }
  }
}

TEST_P(TinyModels, HaveTheReferenceLogitsInABatch) {
  for (const char* attention : kAttention) {
    SCOPED_TRACE(attention);
    const auto session = OpenTiny(GetParam(), attention);
    ASSERT_NE(session, nullptr);
    const std::vector<Prompt> prompts = ReadPrompts(GetParam());
    for (const Prompt& prompt : prompts) Submit(*session, prompt.ids);
    session->engine().Step();
    ASSERT_EQ(session->engine().Stats().output_tokens, static_cast<int64_t>(prompts.size()));
    for (size_t i = 0; i < prompts.size(); ++i) {
      ExpectLogits(*session, session->program(), static_cast<int32_t>(i), prompts[i].last_logits);
    }
    session->engine().RunUntilIdle();
  }
}

// Every prefix as a prompt of its own, all in one batch.
TEST_P(TinyModels, HaveTheReferenceArgMaxAtEveryPosition) {
  struct Best {
    int32_t token = -1;
    double gap = 0;  // to the second
  };
  for (const char* attention : kAttention) {
    SCOPED_TRACE(attention);
    const auto session = OpenTiny(GetParam(), attention);
    ASSERT_NE(session, nullptr);
    for (const Prompt& prompt : ReadPrompts(GetParam())) {
      std::vector<Best> best(prompt.ids.size());
      for (size_t i = 0; i < prompt.ids.size(); ++i) {
        const auto end = prompt.ids.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        Submit(*session, {prompt.ids.begin(), end}, [&best, i](const core::TokenEvent& event) {
          if (event.token >= 0)
            best[i] = {event.token, event.top[0].logprob - event.top[1].logprob};
        });
      }
      session->engine().RunUntilIdle();
      for (size_t i = 0; i < best.size(); ++i) {
        ASSERT_GE(best[i].token, 0) << "position " << i;
        if (best[i].gap >= 0.01) {
          EXPECT_EQ(best[i].token, prompt.argmax[i]) << "position " << i;
        }
      }
    }
  }
}

TEST_P(TinyModels, ContinueAsTheReferenceDoes) {
  const auto cases = ReadGolden(Folder(GetParam()) + "/reference.json");
  for (const char* attention : kAttention) {
    for (const bool together : {false, true}) {
      SCOPED_TRACE(std::string(attention) + (together ? ", together" : ", alone"));
      const auto session = OpenTiny(GetParam(), attention);
      ASSERT_NE(session, nullptr);
      ExpectFollows(cases, Continue(*session, cases, together), 0);
      EXPECT_TRUE(session->engine().Audit());
    }
  }
}

TEST_P(TinyModels, ContinueAsTheReferenceDoesInChunksAndUnpacked) {
  const auto cases = ReadGolden(Folder(GetParam()) + "/reference.json");
  for (const char* tokens : {"1", "5", "17"}) {
    SCOPED_TRACE(std::string("chunks of ") + tokens);
    const auto session =
        OpenTiny(GetParam(), "paged",
                 {std::string("scheduler.max_batch_tokens=") + tokens,
                  std::string("scheduler.max_sequences=") + tokens, "quant.use=dequant"});
    ASSERT_NE(session, nullptr);
    ExpectFollows(cases, Continue(*session, cases, true), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, TinyModels, ::testing::ValuesIn(kModels),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace tenon::testing
