// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"

namespace tenon::text::jinja {

struct Token {
  enum Kind : uint8_t {
    kText,           // between tags, whitespace control already applied
    kVariableBegin,  // {{
    kVariableEnd,
    kBlockBegin,  // {%
    kBlockEnd,
    kName,
    kInteger,
    kFloat,
    kString,    // text is the string's value
    kOperator,  // text is one of == != <= >= // ** < > = + - * / % ~ . , : | ( ) [ ] { }
    kEnd,
  };
  Kind kind = kEnd;
  int line = 1;
  std::string text;
};

inline constexpr size_t kMaxSourceBytes = size_t{1} << 20;
inline constexpr size_t kMaxTokens = 100'000;

// Cuts a template into tokens, as jinja2 3.1 does with trim_blocks and lstrip_blocks set: the
// newline after a block tag goes, and so does the blank space before one at the start of a line;
// {%- and -%} take all blank space; one newline at the source's end goes. The last token is kEnd.
// Errors name the line.
Result<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace tenon::text::jinja
