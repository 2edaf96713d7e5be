// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::core {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorIn(const std::string& text) {
  const Source source{"p.yaml", "", text};
  Diagnostics diagnostics;
  const auto root = ParseYaml(source, diagnostics);
  if (diagnostics.empty()) return root ? "parsed" : "nothing said";
  return diagnostics.Join().message;
}

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(ParseYaml, KeepsPlaces) {
  const Source source{"p.yaml", "", "a: 1\nb:\n  - {c: x}\n  - ~\n"};
  Diagnostics diagnostics;
  const auto root = ParseYaml(source, diagnostics);
  ASSERT_TRUE(root && diagnostics.empty());
  ASSERT_EQ(root->entries.size(), 2u);
  EXPECT_EQ(Where(root->entries[1].mark), "p.yaml:2:1");
  const YamlNode& list = root->entries[1].value;
  ASSERT_TRUE(list.IsList() && list.items.size() == 2);
  EXPECT_EQ(Where(list.items[0].entries[0].value.mark), "p.yaml:3:9");
  EXPECT_TRUE(list.items[1].IsNull());
}

TEST(ParseYaml, EmptyTextIsAnEmptyMap) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n"}) {
    const Source source{"p.yaml", "", text};
    Diagnostics diagnostics;
    const auto root = ParseYaml(source, diagnostics);
    ASSERT_TRUE(root) << text;
    EXPECT_TRUE(root->IsMap() && root->entries.empty());
  }
}

TEST(ParseYaml, AliasesAreCopies) {
  const Source source{"p.yaml", "", "a: &x {k: 1}\nb: *x\n"};
  Diagnostics diagnostics;
  const auto root = ParseYaml(source, diagnostics);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->Get("b")->Get("k")->text, "1");
}

TEST(ParseYaml, SyntaxErrorHasItsPlaceAndACaret) {
  EXPECT_THAT(ErrorIn("model: a\nattention: {use: paged\n"),
              StartsWith("TN200 p.yaml:3:1: this is not YAML: "));
  EXPECT_THAT(ErrorIn("model: a\n\tattention: b\n"), StartsWith("TN200 p.yaml:"));
  EXPECT_EQ(ErrorIn("a: [1, 2\nb: 3]: 4\n: }"), ErrorIn("a: [1, 2\nb: 3]: 4\n: }"));
}

TEST(ParseYaml, ColumnsAreCharactersNotBytes) {
  EXPECT_EQ(ErrorIn("{\xc3\xa9: 1, \xc3\xa9: 2}"),
            "TN204 p.yaml:1:8: the key \"\xc3\xa9\" is there twice; first in line 1\n"
            "    1 | {\xc3\xa9: 1, \xc3\xa9: 2}\n"
            "      |        ^");
}

TEST(ParseYaml, VariablesMayStandInFlowStyle) {
  const Source source{"p.yaml", "", "a: {b: ${X:-1}, c: [${Y}, \"${Z\"], d: $${W}}\ne: \"${V\"\n"};
  Diagnostics diagnostics;
  const auto root = ParseYaml(source, diagnostics);
  ASSERT_TRUE(root) << diagnostics.Join().message;
  EXPECT_EQ(root->Get("a")->Get("b")->text, "${X:-1}");
  EXPECT_EQ(root->Get("a")->Get("c")->items[0].text, "${Y}");
  EXPECT_EQ(root->Get("e")->text, "${V");
}

TEST(ParseYaml, ControlCharactersAreRefused) {
  EXPECT_EQ(
      ErrorIn(std::string("a: \x01")),
      "TN200 p.yaml: this is not text: it has control characters, or bytes that UTF-8 has not");
  EXPECT_THAT(ErrorIn(std::string("a\0b", 3)), HasSubstr("control characters"));
  EXPECT_THAT(ErrorIn("a: \xff"), HasSubstr("bytes that UTF-8 has not"));
}

TEST(ParseYaml, EscapesAreWhatTheySay) {
  const Source source{"p.yaml", "", R"(a: ["\x01\x02", "\xfe\xff", "${X}\x01"])"};
  Diagnostics diagnostics;
  const auto root = ParseYaml(source, diagnostics);
  ASSERT_TRUE(root) << diagnostics.Join().message;
  EXPECT_EQ(root->Get("a")->items[0].text, "\x01\x02");
  EXPECT_EQ(root->Get("a")->items[1].text, "\u00fe\u00ff");
  EXPECT_EQ(root->Get("a")->items[2].text, "${X}\x01");
}

TEST(ParseYaml, DuplicateKeysAreErrors) {
  EXPECT_EQ(ErrorIn("model: a\nquant:\n  use: x\nmodel: b\n"),
            "TN204 p.yaml:4:1: the key \"model\" is there twice; first in line 1\n"
            "    4 | model: b\n"
            "      | ^");
}

TEST(ParseYaml, SecondDocumentIsRefused) {
  EXPECT_THAT(ErrorIn("a: 1\n---\nb: 2\n"), HasSubstr("a second document"));
}

TEST(ParseYaml, KeysAreText) {
  EXPECT_THAT(ErrorIn("{[a]: 1}"), HasSubstr("a key that is not text"));
  EXPECT_THAT(ErrorIn("? {a: b}\n: 1\n"), HasSubstr("a key that is not text"));
}

TEST(ParseYaml, DeepNestingIsRefused) {
  EXPECT_THAT(ErrorIn(Repeat("[", 20000)), HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(ErrorIn(Repeat("{a: ", 20000)), HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(ErrorIn("a: " + Repeat("- ", 20000)), StartsWith("TN200 p.yaml:"));
  EXPECT_THAT(ErrorIn(Repeat("- ", 20000)), HasSubstr("nested deeper than 32 levels"));
  EXPECT_EQ(ErrorIn(Repeat("[", 32) + Repeat("]", 32)), "parsed");
}

TEST(ParseYaml, OpenVariablesCostNoMoreThanOtherText) {
  EXPECT_EQ(ErrorIn("a: " + Repeat("${A:-", 200000)), "parsed");
}

TEST(ParseYaml, AliasBombsAreRefused) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i == 0 ? "" : ", ") + "*" + char(c - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(ErrorIn(bomb), HasSubstr("more values than a pipeline needs"));
  const std::string big =
      "a: &a " + std::string(500000, 'x') + "\nb: [" + Repeat("*a, ", 100) + "]\n";
  EXPECT_THAT(ErrorIn(big), HasSubstr("more values than a pipeline needs"));
}

TEST(ParseYaml, AliasToItselfIsRefused) {
  EXPECT_THAT(ErrorIn("a: &a [*a]\n"), HasSubstr("an alias to what it is part of"));
  EXPECT_THAT(ErrorIn("a: *nowhere\n"), StartsWith("TN200 p.yaml:1:"));
}

TEST(ParseYaml, BigDocumentsAreRefused) {
  EXPECT_THAT(ErrorIn(std::string(kMostYamlBytes + 1, ' ')), HasSubstr("more than 1048576 bytes"));
}

TEST(Diagnostics, CaretStandsUnderTheCharacter) {
  const Source source{"p.yaml", "", "key: \"\xc3\xa9\xe2\x82\xac\" x\n"};
  Diagnostics diagnostics;
  diagnostics.Add("TN202", {&source, 1, 10}, "wrong");
  EXPECT_EQ(diagnostics.Join().message,
            "TN202 p.yaml:1:10: wrong\n"
            "    1 | key: \"\xc3\xa9\xe2\x82\xac\" x\n"
            "      |          ^");
}

TEST(Diagnostics, LongLinesAreCutAroundThePlace) {
  const Source source{"p.yaml", "", std::string(5000, 'a') + "HERE" + std::string(5000, 'b')};
  Diagnostics diagnostics;
  diagnostics.Add("TN202", {&source, 1, 5001}, "wrong");
  const std::string message = diagnostics.Join().message;
  EXPECT_LT(message.size(), 400u);
  const size_t line = message.find("| a");
  const size_t caret = message.rfind('^');
  ASSERT_NE(line, std::string::npos);
  EXPECT_EQ(message.substr(line + (caret - message.rfind("| ")), 4), "HERE");
}

TEST(Diagnostics, AreToldInOrderAndNotWithoutEnd) {
  const Source source{"p.yaml", "", "a\nb\n"};
  Diagnostics diagnostics;
  diagnostics.Add("TN202", {&source, 2, 1}, "second");
  diagnostics.Add("TN201", {&source, 1, 1}, "first");
  for (int i = 0; i < 100; ++i) diagnostics.Add("TN202", {&source, 3, i + 1}, "more");
  const Error error = diagnostics.Join();
  EXPECT_EQ(error.code, "TN201");
  EXPECT_LT(error.message.find("first"), error.message.find("second"));
  EXPECT_THAT(error.message, HasSubstr("\nand 52 more"));
}

TEST(Diagnostics, ControlCharactersOfTheFileAreNotPrinted) {
  const Source source{"p.yaml", "", "a\x1b[31m: b\n"};
  Diagnostics diagnostics;
  diagnostics.Add("TN202", {&source, 1, 1}, "wrong");
  EXPECT_EQ(diagnostics.Join().message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace tenon::core
