// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/option_text.h"

#include <gtest/gtest.h>

namespace tenon::core {
namespace {

constexpr OptionInfo kTile{"tile", OptionType::kInt, "64", "Keys a tile.", 16, 256};
constexpr OptionInfo kThreads{"threads", OptionType::kInt, "0", "Threads.", 0, 1024, "", "threads"};
constexpr OptionInfo kSeed{"seed", OptionType::kInt, "0", "Any number."};
constexpr OptionInfo kTopP{"top_p", OptionType::kFloat, "0.95", "Mass.", 0, 1};
constexpr OptionInfo kOn{"on", OptionType::kBool, "true", "Whether."};
constexpr OptionInfo kType{"kv_type", OptionType::kString, "f16", "KV.", 0, 0, "f32|f16|bf16"};
constexpr OptionInfo kPath{"path", OptionType::kString, "", "Any text."};

std::string Refused(const OptionInfo& option, std::string_view text) {
  const auto value = ReadOption(option, text);
  return value.ok() ? "allowed" : value.error().message;
}

TEST(ReadOption, ReadsEachType) {
  EXPECT_EQ(ReadOption(kTile, "128")->integer, 128);
  EXPECT_EQ(ReadOption(kSeed, "-9223372036854775808")->integer, INT64_MIN);
  EXPECT_DOUBLE_EQ(ReadOption(kTopP, "5e-1")->number, 0.5);
  EXPECT_TRUE(ReadOption(kOn, "true")->boolean);
  EXPECT_FALSE(ReadOption(kOn, "false")->boolean);
  EXPECT_EQ(std::string_view(ReadOption(kType, "bf16")->text), "bf16");
  EXPECT_EQ(std::string_view(ReadOption(kPath, "")->text), "");
}

TEST(ReadOption, AutoIsTheDefaultOfANumber) {
  EXPECT_EQ(ReadOption(kThreads, "auto")->integer, 0);
  EXPECT_DOUBLE_EQ(ReadOption(kTopP, "auto")->number, 0.95);
  EXPECT_FALSE(ReadOption(kType, "auto").ok());
}

TEST(ReadOption, BoundsAreInclusive) {
  EXPECT_TRUE(ReadOption(kTile, "16").ok());
  EXPECT_TRUE(ReadOption(kTile, "256").ok());
  EXPECT_EQ(Refused(kTile, "15"), "tile is 15; 16 to 256 allowed");
  EXPECT_EQ(Refused(kTile, "512"), "tile is 512; 16 to 256 allowed");
  EXPECT_EQ(Refused(kThreads, "-1"), "threads is -1; 0 to 1024 threads allowed");
  EXPECT_EQ(Refused(kTopP, "1.01"), "top_p is 1.01; 0 to 1 allowed");
}

TEST(ReadOption, NamesTheValueAndThoseAllowed) {
  EXPECT_EQ(Refused(kTile, "big"), "tile is \"big\"; 16 to 256 allowed");
  EXPECT_EQ(Refused(kTile, "64.5"), "tile is 64.5; 16 to 256 allowed");
  EXPECT_EQ(Refused(kSeed, "1e3"), "seed is 1e3; a whole number allowed");
  EXPECT_EQ(Refused(kOn, "yes"), "on is \"yes\"; true, false allowed");
  EXPECT_EQ(Refused(kType, "f17"),
            "kv_type is \"f17\"; f32, f16, bf16 allowed; did you mean \"f16\"?");
}

TEST(ReadOption, RefusesWhatIsNoNumber) {
  for (const char* text : {"", " 64", "64 ", "0x40", "+64", "nan", "inf", "99999999999999999999"}) {
    EXPECT_FALSE(ReadOption(kTile, text).ok()) << text;
    EXPECT_FALSE(ReadOption(kSeed, text).ok()) << text;
  }
  EXPECT_FALSE(ReadOption(kTopP, "nan").ok());
  EXPECT_FALSE(ReadOption(kTopP, "inf").ok());
}

TEST(ReadOption, ShowsLongAndStrangeTextsShort) {
  const std::string text = "a\nb" + std::string(10000, 'x');
  const std::string refused = Refused(kTile, text);
  EXPECT_LT(refused.size(), 200u);
  EXPECT_EQ(refused.find('\n'), std::string::npos);
}

TEST(CheckOption, TakesSoundTables) {
  for (const OptionInfo& option : {kTile, kThreads, kSeed, kTopP, kOn, kType, kPath}) {
    EXPECT_EQ(CheckOption(option), "");
  }
}

TEST(CheckOption, FindsWhatIsWrong) {
  OptionInfo option = kTile;
  option.name = "Tile";
  EXPECT_EQ(CheckOption(option), "an option's name is not lower_case");
  option.name = nullptr;
  EXPECT_EQ(CheckOption(option), "an option's name is not lower_case");
  option.name = "use";
  EXPECT_NE(CheckOption(option), "");
  option = kTile;
  option.type = static_cast<OptionType>(7);
  EXPECT_EQ(CheckOption(option), "option tile has an unknown type");
  option = kTile;
  option.doc = nullptr;
  EXPECT_NE(CheckOption(option), "");
  option = kTile;
  option.maximum = 3;
  EXPECT_EQ(CheckOption(option), "option tile allows 16 to 3, which is nothing");
  option = kTile;
  option.default_text = "auto";
  EXPECT_EQ(CheckOption(option), "option tile has the default \"auto\"; 16 to 256 allowed");
  option = kType;
  option.default_text = "f8";
  EXPECT_EQ(CheckOption(option), "option kv_type has the default \"f8\"; f32, f16, bf16 allowed");
}

TEST(IsName, WantsLowerCaseWords) {
  EXPECT_TRUE(IsName("kv_type", false));
  EXPECT_TRUE(IsName("acme.flash2", true));
  EXPECT_FALSE(IsName("acme.flash2", false));
  for (const char* text : {"", "Acme", ".a", "a.", "a..b", "a b", "2a", "a-b"}) {
    EXPECT_FALSE(IsName(text, true)) << text;
  }
}

}  // namespace
}  // namespace tenon::core
