// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"
#include "tenon/result.h"
#include "text/tokenizer_kinds.h"

namespace tenon::text::tokenizer_json {

inline constexpr size_t kMaxJsonBytes = size_t{64} << 20;
inline constexpr size_t kMaxJsonValues = size_t{1} << 22;
inline constexpr int kMaxJsonDepth = 64;

// Parses JSON that may be hostile: at most kMaxJsonBytes, kMaxJsonValues and kMaxJsonDepth; a key
// twice in one object is an error. `name` stands for the file in messages. Flat stack.
Result<nlohmann::json> ParseJson(std::string_view text, const std::string& name);

// Reads and parses a file; `path` stands for it in messages.
Result<nlohmann::json> ReadJson(const std::string& path);

// A JSON value and where it is, for messages. Valid as long as the document.
struct Node {
  const nlohmann::json* value = nullptr;
  std::string where;  // "PATH:" of the whole, "PATH: model.vocab" of a part

  Error Wrong(const std::string& expected) const;  // says what the value is
  Error Says(const std::string& what) const;       // kInvalid, "PATH: model.vocab: what"
  Error Unsupported(const std::string& what) const;
  Node At(size_t index) const;  // REQUIRES: an array that long
  std::string Place() const;    // where, ready for what is to be said
};

// The fields of one object, each asked for once. The first thing wrong stays, and everything asked
// for later reads as its default; Done() says it, or names a key that nobody asked for.
class Fields {
 public:
  explicit Fields(Node node);

  bool Has(const char* key);  // there, and not null; counts as asked
  Node Child(const char* key);
  std::string Text(const char* key);
  std::string TextOr(const char* key, std::string otherwise);
  bool Flag(const char* key);
  bool FlagOr(const char* key, bool otherwise);
  std::optional<bool> FlagIfThere(const char* key);
  int64_t Integer(const char* key, int64_t low, int64_t high);
  int64_t IntegerOr(const char* key, int64_t otherwise, int64_t low, int64_t high);
  char32_t Character(const char* key);      // a text of one character
  std::vector<Node> List(const char* key);  // an array, which must be there
  void Ignore(const char* key) { asked_.insert(key); }

  const Node& node() const { return node_; }
  void Fail(Error error);
  Result<void> Done();

 private:
  const nlohmann::json* Find(const char* key);

  Node node_;
  std::set<std::string, std::less<>> asked_;
  std::optional<Error> error_;
};

// The index of `type` among `kinds`; kUnsupported, naming those known, where it is none.
Result<size_t> KindOf(const Node& node, std::string_view type,
                      std::span<const TokenizerKind> kinds);

// "type" of an object, without asking for its other keys.
Result<std::string> TypeOf(const Node& node);

}  // namespace tenon::text::tokenizer_json
