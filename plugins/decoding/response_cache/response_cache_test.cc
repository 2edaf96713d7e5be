// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/response_cache/response_cache.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_response_cache();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;

class Collected final : public TextSink {
 public:
  void Append(Str piece) noexcept override { text += std::string_view(piece); }
  std::string text;
};

std::optional<std::string> Ask(FrontRule& rule, uint64_t number, uint64_t other = 0) {
  Collected out;
  if (!rule.Answer({"the same", {number, other}}, out)) return std::nullopt;
  return out.text;
}

void Tell(FrontRule& rule, uint64_t number, const std::string& answer) {
  rule.Learn({"the same", {number, 0}}, std::string_view(answer));
}

TEST(ResponseCache, AnswersWhatIsTheSameInAll) {
  MadeComponent made(tenon_plugin_v1_decoding_response_cache(), "response_cache", {});
  FrontRule& rule = *made.Get<FrontRule>();
  EXPECT_EQ(Ask(rule, 1), std::nullopt);
  Tell(rule, 1, "one");
  EXPECT_EQ(Ask(rule, 1), "one");
  EXPECT_EQ(Ask(rule, 1, 1), std::nullopt);
  EXPECT_EQ(Ask(rule, 0), std::nullopt);
  Tell(rule, 1, "other");
  EXPECT_EQ(Ask(rule, 1), "one");
}

TEST(ResponseCache, ForgetsTheLeastRecentlyUsed) {
  MadeComponent made(tenon_plugin_v1_decoding_response_cache(), "response_cache",
                     {{"entries", "2"}});
  FrontRule& rule = *made.Get<FrontRule>();
  Tell(rule, 1, "one");
  Tell(rule, 2, "two");
  EXPECT_EQ(Ask(rule, 1), "one");
  Tell(rule, 3, "three");
  EXPECT_EQ(Ask(rule, 2), std::nullopt);
  EXPECT_EQ(Ask(rule, 1), "one");
  EXPECT_EQ(Ask(rule, 3), "three");
}

TEST(ResponseCache, HoldsNoMoreBytesThanItMay) {
  MadeComponent made(tenon_plugin_v1_decoding_response_cache(), "response_cache",
                     {{"megabytes", "1"}});
  FrontRule& rule = *made.Get<FrontRule>();
  Tell(rule, 1, std::string(600 << 10, 'a'));
  Tell(rule, 2, std::string(600 << 10, 'b'));
  Tell(rule, 3, std::string(2 << 20, 'c'));
  EXPECT_EQ(Ask(rule, 1), std::nullopt);
  EXPECT_TRUE(Ask(rule, 2).has_value());
  EXPECT_EQ(Ask(rule, 3), std::nullopt);
}

TEST(ResponseCache, IsAskedAndToldByManyAtOnce) {
  MadeComponent made(tenon_plugin_v1_decoding_response_cache(), "response_cache",
                     {{"entries", "50"}});
  FrontRule& rule = *made.Get<FrontRule>();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&rule, t] {
      for (uint64_t i = 0; i < 2000; ++i) {
        const uint64_t number = (i * 7 + t) % 100;
        Tell(rule, number, std::to_string(number));
        const auto answer = Ask(rule, (i * 3 + t) % 100);
        EXPECT_EQ(answer.value_or(std::to_string((i * 3 + t) % 100)),
                  std::to_string((i * 3 + t) % 100));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tenon::decoding
