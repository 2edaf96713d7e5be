// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/pipeline/diagnostics.h"

namespace tenon::core {

// A YAML document as plain data, each part with its place. Scalars stay text: what they mean is
// for the option that takes them.
struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;             // kScalar
  std::vector<YamlNode> items;  // kList
  std::vector<Entry> entries;   // kMap, keys unique, in order

  bool IsMap() const { return kind == Kind::kMap; }
  bool IsList() const { return kind == Kind::kList; }
  bool IsScalar() const { return kind == Kind::kScalar; }
  bool IsNull() const { return kind == Kind::kNull; }

  // The value of `key` in a map, or null.
  const YamlNode* Get(std::string_view key) const;
  YamlNode* Get(std::string_view key);
  // Puts `value` there, in place of what is there.
  void Set(std::string_view key, const Mark& mark, YamlNode value);
  void Erase(std::string_view key);
};

struct YamlNode::Entry {
  std::string key;
  Mark mark;  // of the key
  YamlNode value;
  bool inherited = false;  // an option given to another component than the one that has it now
};

YamlNode ScalarNode(const Mark& mark, std::string_view text);
YamlNode MapNode(const Mark& mark);
YamlNode ListNode(const Mark& mark);

// "a list", "a mapping", "text", "empty".
const char* Name(YamlNode::Kind kind);

inline constexpr size_t kMostYamlBytes = 1 << 20;
inline constexpr int kMostYamlDepth = 32;
inline constexpr size_t kMostYamlNodes = 5'000;
inline constexpr size_t kMostYamlText = 4 << 20;  // bytes of scalars, aliases repeated

// Whether the text is UTF-8 by its looks: without control characters but tabs and line ends, and
// without bytes from 0xf8 on. And what to say where it is not: "this is ...".
bool IsText(std::string_view text);
inline constexpr const char* kNotText =
    "not text: it has control characters, or bytes that UTF-8 has not";

// Reads the document; an empty one is an empty map. Nothing where it is no YAML, holds more than
// one document, or goes beyond the limits above (TN200 is added). A key that is there twice
// (TN204) is left out.
std::optional<YamlNode> ParseYaml(const Source& source, Diagnostics& diagnostics);

}  // namespace tenon::core
