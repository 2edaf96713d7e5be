// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace tenon::apps {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LoadSetting Setting() {
  LoadSetting setting;
  setting.url = "http://x";
  setting.endpoint = "/v1/completions";
  setting.model = "<script>alert(1)</script>";
  setting.dataset = "random";
  setting.request_rate = std::numeric_limits<double>::infinity();
  setting.shown = {"ttft"};
  return setting;
}

std::vector<LoadResult> Results() {
  LoadResult good;
  good.outcome = LoadOutcome::kCompleted;
  good.first_s = 0.5;
  good.latency_s = 1;
  good.gaps_s = {0.25F, 0.25F};
  good.output_tokens = 3;
  LoadResult bad;
  bad.outcome = LoadOutcome::kFailed;
  bad.error = "HTTP 500";
  bad.message = "a <b> of \xff";
  return {good, good, bad};
}

LoadMetrics Metrics() { return Measure(Results(), 2, {}, {50, 99}); }

TEST(LoadHtml, EscapesAndFetchesNothing) {
  const std::string page = LoadHtml(Setting(), Metrics());
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("a &lt;b&gt;"));
  for (const char* word : {"src=", "href=", "inf", "nan"}) EXPECT_THAT(page, Not(HasSubstr(word)));
}

TEST(LoadHtml, ClosesWhatItOpens) {
  for (const auto& metrics : {Metrics(), Measure({}, 0, {}, {})}) {
    const std::string page = LoadHtml(Setting(), metrics);
    const auto count = [&](const std::string& what) {
      size_t n = 0;
      for (size_t at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++n;
      return n;
    };
    EXPECT_GE(count("<svg"), 2u);
    for (const std::string tag : {"svg", "table", "h2", "p", "tr"}) {
      EXPECT_EQ(count("<" + tag + ">") + count("<" + tag + " "), count("</" + tag + ">")) << tag;
    }
  }
}

TEST(LoadJson, UsesTheNamesOfVllm) {
  const std::string text = LoadJson(Setting(), Metrics(), nullptr);
  for (const char* name :
       {"\"completed\":2", "\"failed\":1", "\"mean_ttft_ms\":500.0", "\"p99_ttft_ms\":500.0",
        "\"median_itl_ms\":250.0", "\"total_output_tokens\":6", "\"request_rate\":\"inf\"",
        "\"request_goodput\":null", "\"HTTP 500\":{\"count\":1"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
  EXPECT_THAT(text, Not(HasSubstr("p99_itl_ms")));  // not asked for
  EXPECT_THAT(text, Not(HasSubstr("\"itls\"")));
}

TEST(LoadJson, TellsEachRequestWhereAsked) {
  const auto results = Results();
  const std::string text = LoadJson(Setting(), Metrics(), &results);
  EXPECT_THAT(text, HasSubstr("\"itls\":[[0.25,0.25],[0.25,0.25],[]]"));
  EXPECT_THAT(text, HasSubstr("\"successes\":[true,true,false]"));
  EXPECT_THAT(text, HasSubstr("\"output_lens\":[3,3,0]"));
}

TEST(LoadText, SaysWhatFailed) {
  const std::string text = LoadText(Setting(), Metrics());
  EXPECT_THAT(text, HasSubstr("HTTP 500"));
  EXPECT_THAT(text, HasSubstr("P99 TTFT (ms)"));
  EXPECT_THAT(text, Not(HasSubstr("P99 TPOT (ms)")));
}

}  // namespace
}  // namespace tenon::apps
