// SPDX-License-Identifier: Apache-2.0
#include "apps/server/metrics.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "apps/server/testing/fakes.h"
#include "apps/server/trace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace tenon::apps::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct OneModel {
  explicit OneModel(const std::string& name) {
    auto model = std::make_shared<openai::ServedModel>();
    model->name = name;
    model->engine = engine;
    fleet.models = {model};
  }
  std::shared_ptr<testing::FakeEngine> engine = std::make_shared<testing::FakeEngine>();
  testing::FakeFleet fleet;
};

openai::CallRecord Record(const std::string& model) {
  openai::CallRecord record;
  record.request_id = "r-1";
  record.model = model;
  record.finished = "stop";
  record.prompt_tokens = 7;
  record.output_tokens = 3;
  record.queue_s = 0.1;
  record.first_token_s = 0.3;
  record.per_token_s = 0.06;
  record.all_s = 1.2;
  return record;
}

TEST(Metrics, CountsIntoBucketsThatAddUp) {
  static constexpr double kBounds[] = {1, 2.5};
  Histogram histogram(kBounds);
  histogram.Observe(1);
  histogram.Observe(2, 3);
  histogram.Observe(9);
  MetricsText text("t:");
  text.Begin("h", "histogram", "Help.");
  text.Sample({{"model_name", "a\"b\\c\n"}}, histogram);
  EXPECT_EQ(text.Take(),
            "# HELP t:h Help.\n# TYPE t:h histogram\n"
            "t:h_bucket{model_name=\"a\\\"b\\\\c\\n\",le=\"1.0\"} 1\n"
            "t:h_bucket{model_name=\"a\\\"b\\\\c\\n\",le=\"2.5\"} 4\n"
            "t:h_bucket{model_name=\"a\\\"b\\\\c\\n\",le=\"+Inf\"} 5\n"
            "t:h_sum{model_name=\"a\\\"b\\\\c\\n\"} 16\n"
            "t:h_count{model_name=\"a\\\"b\\\\c\\n\"} 5\n");
}

TEST(Metrics, TellsWhatEnginesAndCallsDid) {
  OneModel one("m");
  one.engine->facts.total_blocks = 100;
  one.engine->state.free_blocks = 75;
  one.engine->state.running = 3;
  one.engine->state.waiting = 2;
  one.engine->state.prompt_tokens = 123456789;
  one.engine->state.plugins = {{"attention", "paged", 1.5}};
  Metrics metrics("vllm");
  metrics.OnFirstToken("m", 0.3);
  metrics.OnTokens("m", 2, 0.08);
  metrics.OnDone(Record("m"));
  const std::string text = metrics.Text(one.fleet);
  for (const char* line : {
           "vllm:num_requests_running{model_name=\"m\"} 3\n",
           "vllm:num_requests_waiting{model_name=\"m\"} 2\n",
           "vllm:kv_cache_usage_perc{model_name=\"m\"} 0.25\n",
           "vllm:prompt_tokens_total{model_name=\"m\"} 123456789\n",
           "vllm:plugin_seconds_total{model_name=\"m\",family=\"attention\",plugin=\"paged\"} "
           "1.5\n",
           "vllm:request_success_total{model_name=\"m\",finished_reason=\"stop\"} 1\n",
           "vllm:request_success_total{model_name=\"m\",finished_reason=\"abort\"} 0\n",
           "vllm:time_to_first_token_seconds_bucket{model_name=\"m\",le=\"0.5\"} 1\n",
           "vllm:time_to_first_token_seconds_bucket{model_name=\"m\",le=\"0.25\"} 0\n",
           "vllm:inter_token_latency_seconds_count{model_name=\"m\"} 2\n",
           "vllm:request_time_per_output_token_seconds_count{model_name=\"m\"} 1\n",
           "vllm:e2e_request_latency_seconds_sum{model_name=\"m\"} 1.2\n",
           "vllm:request_queue_time_seconds_count{model_name=\"m\"} 1\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, CountsAStepsTokensFromTheEnginesCounters) {
  OneModel one("m");
  Metrics metrics("tenon");
  one.engine->state.steps = 4;
  one.engine->state.output_tokens = 40;
  metrics.Look(one.fleet);
  one.engine->state.steps = 5;
  one.engine->state.prompt_tokens = 500;
  metrics.Look(one.fleet);
  metrics.Look(one.fleet);
  const std::string text = metrics.Text(one.fleet);
  EXPECT_THAT(text, HasSubstr("tenon:iteration_tokens_total_count{model_name=\"m\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("tenon:iteration_tokens_total_sum{model_name=\"m\"} 540\n"));
  EXPECT_THAT(text, HasSubstr("{model_name=\"m\",le=\"16.0\"} 4\n"));
  // Another engine in its place begins anew.
  one.engine->state = {};
  metrics.Look(one.fleet);
  EXPECT_THAT(metrics.Text(one.fleet),
              HasSubstr("tenon:iteration_tokens_total_count{model_name=\"m\"} 5\n"));
}

TEST(Metrics, HasNoModelOfAnUnknownName) {
  OneModel one("m");
  Metrics metrics("tenon");
  openai::CallRecord refused = Record("canary");
  refused.status = 404;
  metrics.OnDone(refused);
  EXPECT_THAT(metrics.Text(one.fleet), Not(HasSubstr("canary")));
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class TraceTest : public ::testing::Test {
 protected:
  TraceTest() {
    EXPECT_NE(mkdtemp(folder_), nullptr);
    file_ = std::string(folder_) + "/trace.json";
  }
  ~TraceTest() override {
    unlink(file_.c_str());
    unlink((file_ + ".1").c_str());
    rmdir(folder_);
  }
  char folder_[32] = "/tmp/tenon-trace-XXXXXX";
  std::string file_;
};

TEST_F(TraceTest, ShowsARequestsPhasesInTheirOrder) {
  Trace::Open(file_).value()->OnDone(Record("m\"\n"));
  const auto events = nlohmann::json::parse(ReadText(file_));
  std::map<std::string, std::pair<int64_t, int64_t>> spans;
  for (const auto& event : events) {
    if (event["ph"] == "b") spans[event["name"]].first = event["ts"];
    if (event["ph"] == "e") spans[event["name"]].second = event["ts"];
  }
  ASSERT_EQ(spans.size(), 4U);
  EXPECT_EQ(spans["queue"].first, spans["request"].first);
  EXPECT_NEAR(spans["queue"].second - spans["queue"].first, 100000, 2);
  EXPECT_EQ(spans["prefill"].first, spans["queue"].second);
  EXPECT_EQ(spans["decode"].first, spans["prefill"].second);
  EXPECT_EQ(spans["decode"].second, spans["request"].second);
  EXPECT_NEAR(spans["request"].second - spans["request"].first, 1200000, 2);
}

TEST_F(TraceTest, KeepsTheLatestInBoundedSize) {
  constexpr int64_t kMost = 20000;
  auto trace = Trace::Open(file_, kMost).value();
  openai::CallRecord record = Record("m");
  for (int i = 0; i < 200; ++i) {
    record.request_id = "r-" + std::to_string(i);
    trace->OnDone(record);
  }
  trace.reset();
  const std::string now = ReadText(file_);
  const std::string before = ReadText(file_ + ".1");
  EXPECT_LE(static_cast<int64_t>(now.size() + before.size()), kMost + 100);
  EXPECT_THAT(now, HasSubstr("r-199"));
  EXPECT_TRUE(nlohmann::json::accept(now));
  EXPECT_TRUE(nlohmann::json::accept(before));
}

TEST_F(TraceTest, SaysThatItCannotWrite) {
  const auto trace = Trace::Open(std::string(folder_) + "/no/such/folder");
  ASSERT_FALSE(trace.ok());
  EXPECT_EQ(trace.error().status, Status::kIo);
}

}  // namespace
}  // namespace tenon::apps::server
