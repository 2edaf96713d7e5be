// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/replace/replace.h"

#include <gtest/gtest.h>

#include <random>

#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_replace();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;

class Collected final : public TextSink {
 public:
  void Append(Str piece) noexcept override { text += std::string_view(piece); }
  std::string text;
};

struct Filtered {
  std::vector<std::string> fed;  // what each piece gave out
  std::string text;              // all, with the end
  bool blocked = false;
};

Filtered Filter(const std::map<std::string, std::string>& options,
                const std::vector<std::string>& pieces) {
  MadeComponent made(tenon_plugin_v1_decoding_replace(), "replace", options);
  auto* rule = made.Get<BackRule>();
  TextFilter* filter = rule->Begin();
  Filtered out;
  for (const std::string& piece : pieces) {
    Collected collected;
    filter->Feed(std::string_view(piece), collected);
    out.fed.push_back(collected.text);
    out.text += collected.text;
  }
  Collected last;
  filter->Finish(last);
  out.text += last.text;
  out.blocked = filter->Blocked();
  rule->End(filter);
  return out;
}

TEST(Replace, ReplacesAcrossPiecesAndLeaksNoHalf) {
  const Filtered out =
      Filter({{"find", "secret"}, {"with", "***"}}, {"a se", "cr", "et b sec", "t"});
  EXPECT_EQ(out.fed, (std::vector<std::string>{"a ", "", "*** b ", "sect"}));
  EXPECT_EQ(out.text, "a *** b sect");
  EXPECT_FALSE(out.blocked);
}

TEST(Replace, EndsTheOutputWhereItBlocks) {
  const Filtered out =
      Filter({{"find", "stop"}, {"block", "true"}}, {"go st", "op and on", "more"});
  EXPECT_EQ(out.text, "go ");
  EXPECT_TRUE(out.blocked);
}

TEST(Replace, WithoutATextLetsEverythingThrough) {
  EXPECT_EQ(Filter({}, {"any", "thing"}).text, "anything");
}

TEST(Replace, GivesWhatWasHeldAtTheEnd) {
  EXPECT_EQ(Filter({{"find", "abc"}, {"with", "x"}}, {"aab", "ab"}).text, "aabab");
}

// However the text is cut, the result is that of replacing in the whole.
TEST(Replace, AgreesWithReplacingTheWholeText) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const auto letters = [&](size_t most) {
      std::string text(random() % most, 'a');
      for (char& c : text) c = "ab"[random() % 2];
      return text;
    };
    const std::string find = letters(5) + "a";
    std::string text = letters(30), whole;
    std::vector<std::string> pieces(1);
    for (const char c : text) {
      if (random() % 3 == 0) pieces.emplace_back();
      pieces.back() += c;
    }
    for (size_t at = 0; at < text.size();) {
      if (text.compare(at, find.size(), find) == 0) {
        whole += "<>";
        at += find.size();
      } else {
        whole += text[at++];
      }
    }
    ASSERT_EQ(Filter({{"find", find}, {"with", "<>"}}, pieces).text, whole) << find << " " << text;
  }
}

}  // namespace
}  // namespace tenon::decoding
