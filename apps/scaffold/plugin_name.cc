// SPDX-License-Identifier: Apache-2.0
#include "apps/scaffold/plugin_name.h"

#include <algorithm>

#include "fmt/format.h"

namespace tenon::apps {
namespace {

constexpr size_t kMostCharacters = 40;

// What cannot name a namespace: words of C++ without an underscore, namespaces that are taken, and
// macros that compilers set.
constexpr std::string_view kTaken[] = {
    "alignas",  "alignof",  "and",       "asm",       "auto",      "bitand",    "bitor",
    "bool",     "break",    "case",      "catch",     "char",      "class",     "compl",
    "concept",  "const",    "continue",  "decltype",  "default",   "delete",    "do",
    "double",   "else",     "enum",      "explicit",  "export",    "extern",    "false",
    "float",    "for",      "friend",    "goto",      "if",        "inline",    "int",
    "linux",    "long",     "mutable",   "namespace", "new",       "noexcept",  "not",
    "nullptr",  "operator", "or",        "posix",     "private",   "protected", "public",
    "register", "requires", "return",    "short",     "signed",    "sizeof",    "static",
    "std",      "struct",   "switch",    "template",  "tenon",     "testing",   "this",
    "throw",    "true",     "try",       "typedef",   "typeid",    "typename",  "typeof",
    "union",    "unix",     "unsigned",  "using",     "virtual",   "void",      "volatile",
    "while",    "xor",      "constexpr", "consteval", "constinit", "main"};

// Names of files that every project has besides the technique's.
constexpr std::string_view kTakenFiles[] = {"plugin", "test_host"};

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Parts of letters and digits that begin with a letter, with one underscore between them.
bool IsLowerCase(std::string_view text) {
  if (text.empty() || text.size() > kMostCharacters || text.back() == '_') return false;
  char before = '_';
  for (const char c : text) {
    const bool first = before == '_';
    if (!IsLower(c) && (first || (!IsDigit(c) && c != '_'))) return false;
    before = c;
  }
  return true;
}

bool Holds(auto& words, std::string_view text) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

Error Wrong(std::string_view text, const std::string& what) {
  const std::string shown(text.substr(0, 2 * kMostCharacters));
  return {Status::kInvalid, fmt::format("\"{}\" {}", shown, what)};
}

}  // namespace

std::string PluginName::ClassName() const {
  std::string name;
  bool first = true;
  for (const char c : technique) {
    if (c != '_') name += first && IsLower(c) ? static_cast<char>(c - 'a' + 'A') : c;
    first = c == '_';
  }
  return name;
}

Result<PluginName> ParsePluginName(std::string_view text) {
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) {
    return Wrong(text, "has no vendor; vendor.technique is wanted, e.g. acme.fast_path");
  }
  const std::string_view vendor = text.substr(0, dot), technique = text.substr(dot + 1);
  if (!IsLowerCase(vendor) || !IsLowerCase(technique)) {
    return Wrong(
        text, fmt::format("is not lower_case; vendor.technique is wanted, each at most {} of a-z, "
                          "0-9 and _ with a letter first and after each _, e.g. acme.fast_path",
                          kMostCharacters));
  }
  if (Holds(kTaken, vendor)) {
    return Wrong(text,
                 fmt::format("has the vendor \"{}\", which is taken; put your own first", vendor));
  }
  if (Holds(kTakenFiles, technique)) {
    return Wrong(text,
                 fmt::format("names its files \"{}\", which is taken; choose another technique's "
                             "name",
                             technique));
  }
  return PluginName{std::string(vendor), std::string(technique)};
}

}  // namespace tenon::apps
