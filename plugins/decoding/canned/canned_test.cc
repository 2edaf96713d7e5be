// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/canned/canned.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_canned();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;

class Collected final : public TextSink {
 public:
  void Append(Str piece) noexcept override { text += std::string_view(piece); }
  std::string text;
};

std::string File(const std::string& text) {
  const std::string path = ::testing::TempDir() + "canned_test.tsv";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::optional<std::string> Ask(MadeComponent& made, const std::string& question) {
  Collected out;
  if (!made.Get<FrontRule>()->Answer({std::string_view(question), {1, 2}}, out)) {
    return std::nullopt;
  }
  return out.text;
}

TEST(Canned, AnswersHoweverTheQuestionIsSpacedAndEnded) {
  MadeComponent made(tenon_plugin_v1_decoding_canned(), "canned",
                     {{"file", File("# frequent\nWhat are your hours?\tNine to five.\\nNot on "
                                    "Sundays.\r\n\nHi\thello \\\\o/\n")}});
  for (const char* question :
       {"What are your hours?", "  what ARE your\n hours", "What are your hours ?!"}) {
    EXPECT_EQ(Ask(made, question), "Nine to five.\nNot on Sundays.") << question;
  }
  EXPECT_EQ(Ask(made, "hi."), "hello \\o/");
  EXPECT_EQ(Ask(made, "What are your hours on Sunday?"), std::nullopt);
  EXPECT_EQ(Ask(made, ""), std::nullopt);
  EXPECT_EQ(Ask(made, std::string(1 << 20, ' ')), std::nullopt);
}

TEST(Canned, WithoutAFileAnswersNothing) {
  MadeComponent made(tenon_plugin_v1_decoding_canned(), "canned", {});
  EXPECT_EQ(Ask(made, "hi"), std::nullopt);
}

}  // namespace
}  // namespace tenon::decoding
