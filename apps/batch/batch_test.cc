// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "apps/batch/batch_line.h"
#include "apps/batch/progress.h"
#include "apps/openai/testing/fakes.h"

namespace tenon::apps::batch {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string Request(const std::string& id, const std::string& more = "") {
  return R"({"custom_id":")" + id +
         R"(","method":"POST","url":"/v1/completions","body":{"prompt":"hi")" + more + "}}\n";
}

class BatchTest : public ::testing::Test {
 protected:
  BatchTest() {
    folder_ =
        std::filesystem::path(::testing::TempDir()) /
        (std::string("batch_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    options_.input = folder_ / "in.jsonl";
    options_.output = folder_ / "out.jsonl";
    world_.engine->answers_at_once = true;
  }
  ~BatchTest() override { std::filesystem::remove_all(folder_); }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(options_.output, std::ios::binary).rdbuf();
    return text.str();
  }
  // The answers by custom_id.
  std::map<std::string, json> Answers() const {
    std::map<std::string, json> out;
    std::istringstream text(Text());
    for (std::string line; std::getline(text, line);) {
      const json answer = json::parse(line);
      out[answer["custom_id"].is_null() ? "" : answer["custom_id"].get<std::string>()] = answer;
    }
    return out;
  }
  BatchSummary Run() {
    const auto summary = RunBatch(*world_.api, options_);
    EXPECT_TRUE(summary.ok());
    return summary.ok() ? *summary : BatchSummary();
  }

  std::filesystem::path folder_;
  BatchOptions options_;
  openai::testing::World world_;
};

TEST_F(BatchTest, AnswersEachLineAndBadOnesToo) {
  Write(options_.input, Request("a") + "not json\n\n" + Request("b", R"(,"n":0)") +
                            R"({"custom_id":"c","method":"GET","url":"/v1/completions","body":{}})"
                            "\n" +
                            Request("a") + Request("d", R"(,"stream":true)") + Request("e"));
  const BatchSummary summary = Run();
  EXPECT_EQ(summary.lines, 7);
  EXPECT_EQ(summary.succeeded, 2);
  EXPECT_EQ(summary.failed, 5);
  EXPECT_FALSE(summary.stopped);
  auto answers = Answers();
  EXPECT_EQ(answers["a"]["response"]["status_code"], 200);
  EXPECT_EQ(answers["a"]["response"]["body"]["choices"][0]["text"], "ok");
  EXPECT_EQ(answers["a"]["error"], nullptr);
  EXPECT_EQ(answers["b"]["response"]["status_code"], 400);
  EXPECT_EQ(answers["b"]["response"]["body"]["error"]["param"], "n");
  EXPECT_EQ(answers["c"]["response"], nullptr);
  EXPECT_THAT(answers["c"]["error"]["message"], HasSubstr("line 5: method"));
  EXPECT_THAT(answers["d"]["error"]["message"], HasSubstr("stream"));
  EXPECT_EQ(answers["e"]["id"], "batch_req_8");
  EXPECT_THAT(Text(), HasSubstr("custom_id is that of an earlier line"));
  EXPECT_THAT(Text(), HasSubstr("not JSON"));
}

TEST_F(BatchTest, GoesOnWhereItWasInterrupted) {
  Write(options_.input, Request("a") + "bad\n" + Request("b") + Request("c"));
  Run();
  const std::string whole = Text();
  EXPECT_EQ(Run().skipped, 4);
  EXPECT_EQ(Text(), whole);
  // Ended within the last line.
  std::filesystem::resize_file(options_.output, whole.size() - 5);
  const size_t before = world_.engine->started.size();
  const BatchSummary again = Run();
  EXPECT_EQ(again.skipped, 3);
  EXPECT_EQ(again.succeeded, 1);
  EXPECT_EQ(world_.engine->started.size(), before + 1);
  EXPECT_EQ(Answers().size(), 4u);
  EXPECT_EQ(Text().size(), whole.size());
}

TEST_F(BatchTest, LeavesFilesOfOthersAlone) {
  Write(options_.input, Request("a"));
  for (const char* foreign : {"my notes\n", "my notes", "{\"id\":\"batch_req_1\"}\n"}) {
    Write(options_.output, foreign);
    const auto summary = RunBatch(*world_.api, options_);
    ASSERT_FALSE(summary.ok()) << foreign;
    EXPECT_THAT(summary.error().message, HasSubstr(":1: not an answer"));
    EXPECT_EQ(Text(), foreign);
  }
  EXPECT_TRUE(world_.engine->started.empty());
}

// Stops when a request has the field "halt".
class Halting : public openai::testing::MemoryObserver {
 public:
  void OnUnknownField(std::string_view) override { stop = true; }
  bool stop = false;
};

TEST_F(BatchTest, StopsCleanly) {
  Halting observer;
  const auto api = openai::MakeApi(world_.models, observer, {}, {});
  options_.stop = &observer.stop;
  Write(options_.input, Request("a") + Request("b", R"(,"halt":1)") + Request("c"));
  world_.engine->answers_at_once = false;
  auto summary = RunBatch(*api, options_);
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary->stopped);
  EXPECT_EQ(summary->succeeded + summary->failed, 0);
  EXPECT_EQ(world_.engine->started.size(), 2u);
  EXPECT_EQ(world_.engine->cancelled.size(), 2u);
  EXPECT_EQ(api->Running(), 0);
  EXPECT_EQ(Text(), "");
  observer.stop = false;
  world_.engine->answers_at_once = true;
  summary = RunBatch(*api, options_);
  EXPECT_EQ(summary->succeeded, 3);
}

TEST_F(BatchTest, KeepsSoManyInFlight) {
  Halting observer;
  const auto api = openai::MakeApi(world_.models, observer, {}, {});
  options_.stop = &observer.stop;
  options_.in_flight = 3;
  world_.engine->answers_at_once = false;
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += Request(std::to_string(i), i == 2 ? R"(,"halt":1)" : "");
  Write(options_.input, lines);
  EXPECT_TRUE(RunBatch(*api, options_)->stopped);
  EXPECT_EQ(world_.engine->started.size(), 3u);
}

TEST(BatchLine, KeepsTheBodyAsItWas) {
  const std::string body =
      R"({"messages":[{"role":"user","content":"\u00e9\n\"x\""}],"seed":-7,"top_p":0.1,"user":null})";
  const BatchLine line = ReadLine(
      R"({"custom_id":"x","method":"POST","url":"/v1/chat/completions","body":)" + body + "}", 3);
  EXPECT_EQ(line.problem, "");
  EXPECT_EQ(line.endpoint, openai::Endpoint::kChat);
  EXPECT_EQ(json::parse(line.body), json::parse(body));
  EXPECT_FALSE(ReadLine(std::string(100000, '['), 1).problem.empty());
}

TEST(Progress, TellsRateAndTimeLeft) {
  EXPECT_EQ(ProgressText(100, 30, 10, 2, 10),
            "[############                  ] 40 of 100, 2 failed, 3.0/s, 20 s left");
  EXPECT_EQ(ProgressText(0, 0, 0, 0, 1), "[##############################] 0 of 0");
}

}  // namespace
}  // namespace tenon::apps::batch
