// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace tenon::core {
namespace {

using ::testing::HasSubstr;

std::string Expanded(const std::string& text) {
  const Source source{"p.yaml", "", text};
  YamlNode node = ScalarNode({&source, 1, 1}, text);
  Diagnostics diagnostics;
  ExpandEnvironment(node, diagnostics);
  return diagnostics.empty() ? node.text : diagnostics.Join().message;
}

TEST(ExpandEnvironment, ReplacesVariables) {
  setenv("TENON_TEST_A", "one", 1);
  setenv("TENON_TEST_EMPTY", "", 1);
  unsetenv("TENON_TEST_NONE");
  EXPECT_EQ(Expanded("x${TENON_TEST_A}y${TENON_TEST_A}"), "xoneyone");
  EXPECT_EQ(Expanded("${TENON_TEST_NONE:-two}"), "two");
  EXPECT_EQ(Expanded("${TENON_TEST_EMPTY:-two}"), "two");
  EXPECT_EQ(Expanded("${TENON_TEST_EMPTY}"), "");
  EXPECT_EQ(Expanded("${TENON_TEST_NONE:-}"), "");
  EXPECT_EQ(Expanded("$TENON_TEST_A $"), "$TENON_TEST_A $");
  EXPECT_EQ(Expanded("$${TENON_TEST_A}"), "${TENON_TEST_A}");
}

TEST(ExpandEnvironment, AValueIsNotExpandedAgain) {
  setenv("TENON_TEST_A", "${TENON_TEST_A}", 1);
  EXPECT_EQ(Expanded("${TENON_TEST_A}"), "${TENON_TEST_A}");
}

TEST(ExpandEnvironment, MissingVariableIsAnError) {
  unsetenv("TENON_TEST_NONE");
  EXPECT_EQ(Expanded("${TENON_TEST_NONE}"),
            "TN206 p.yaml:1:1: the environment variable TENON_TEST_NONE is not set; set it, or "
            "write ${TENON_TEST_NONE:-default}\n"
            "    1 | ${TENON_TEST_NONE}\n"
            "      | ^");
}

TEST(ExpandEnvironment, WrongNamesAndBracesAreErrors) {
  EXPECT_THAT(Expanded("${A"), HasSubstr("without \"}\""));
  EXPECT_THAT(Expanded("${}"), HasSubstr("names no variable"));
  EXPECT_THAT(Expanded("${1A}"), HasSubstr("names no variable"));
  EXPECT_THAT(Expanded("${A-B}"), HasSubstr("names no variable"));
}

TEST(ExpandEnvironment, AValueThatIsNoTextIsAnError) {
  setenv("TENON_TEST_A", "a\x01", 1);
  EXPECT_THAT(Expanded("${TENON_TEST_A}"), HasSubstr("TENON_TEST_A is not text"));
  setenv("TENON_TEST_A", "a\xff", 1);
  EXPECT_THAT(Expanded("${TENON_TEST_A}"), HasSubstr("TENON_TEST_A is not text"));
}

TEST(ExpandEnvironment, DoesNotGrowWithoutEnd) {
  setenv("TENON_TEST_A", std::string(100000, 'x').c_str(), 1);
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "${TENON_TEST_A}";
  EXPECT_THAT(Expanded(text), HasSubstr("variables beyond 1 MiB in all"));
  setenv("TENON_TEST_A", "", 1);
}

}  // namespace
}  // namespace tenon::core
