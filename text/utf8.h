// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// UTF-8 as the Unicode standard (table 3-7) defines it. Every function takes any bytes.
namespace tenon::text {

// U+FFFD, which stands for what is not UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// What the bytes at one place are.
struct Utf8Step {
  enum Kind : uint8_t {
    kCharacter,   // one well-formed character
    kInvalid,     // the longest prefix of a character that cannot be completed; one U+FFFD
    kIncomplete,  // a good beginning, but the text ends; more bytes may complete it
  };
  Kind kind = kInvalid;
  uint8_t bytes = 0;       // 1 to 4; 0 at the end of the text
  char32_t character = 0;  // where kind is kCharacter
};

// The step at text[at]. REQUIRES: at <= text.size()
Utf8Step DecodeUtf8(std::string_view text, size_t at);

// Appends the UTF-8 of `character` (U+FFFD for a surrogate or beyond U+10FFFF).
void AppendUtf8(char32_t character, std::string* out);

// The length of the longest well-formed prefix.
size_t ValidUtf8Prefix(std::string_view text);

// Appends text with what is not UTF-8 replaced as Python's errors="replace" does.
void AppendReplacingInvalid(std::string_view text, std::string* out);

// The number of bytes that start a character: the length in characters of well-formed text.
size_t CountCharacters(std::string_view text);

// What Python's str.isspace says of one character.
bool IsSpace(char32_t character);

}  // namespace tenon::text
