// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/report_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "apps/compare/svg.h"

namespace tenon::apps {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Comparison Small() {
  Comparison out;
  SpeedRow row{"whole request", "ms", 10, 8, {}, {9, 10, 11}, {8, 8, 9}};
  row.gain = {0.2, 0.1, 0.3, 0.05, 3};
  out.speed = {row, row};
  out.plugins_a = {{"paged", 1.5}, {"native", 2}};
  out.plugins_b = {{"flash", 1}, {"native", 2}};
  out.quality.emplace();
  out.quality->divergences.push_back({0, 4, 7, 9, 0.01});
  return out;
}

TEST(ReportHtml, EscapesWhatUsersWrote) {
  const std::string page = ReportHtml({"<script>alert(1)</script>.yaml", "model: \"&\"", 1, 2},
                                      {"b.yaml", "", 0, 0}, Small(), {true, false, "text <b>", {}});
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, HasSubstr("model: &quot;&amp;&quot;"));
  EXPECT_THAT(page, HasSubstr("text &lt;b&gt;"));
}

TEST(ReportHtml, FetchesNothingAndClosesWhatItOpens) {
  const std::string page = ReportHtml({}, {}, Small(), {});
  for (const char* word : {"http:", "https:", "src=", "href="}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
  const auto count = [&](const std::string& what) {
    size_t n = 0;
    for (size_t at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("<svg"), count("</svg>"));
  EXPECT_EQ(count("<table"), count("</table>"));
  EXPECT_EQ(count("<div"), count("</div>"));
  EXPECT_GE(count("<svg"), 4u);
  EXPECT_THAT(page, HasSubstr("flash"));
  EXPECT_THAT(page, HasSubstr("0.0100"));
}

TEST(ReportHtml, DrawsIntervalsWithoutEnd) {
  const double infinite = std::numeric_limits<double>::infinity();
  const std::string plot = ForestPlot({{"x", 1, 0, infinite, {1.0}}});
  EXPECT_THAT(plot, Not(HasSubstr("inf")));
  EXPECT_THAT(plot, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace tenon::apps
