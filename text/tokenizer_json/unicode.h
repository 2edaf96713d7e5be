// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Properties and normal forms of Unicode, by utf8proc.
namespace tenon::text::tokenizer_json {

bool IsWhiteSpace(char32_t c);      // property White_Space
bool IsNumeric(char32_t c);         // categories Nd, Nl, No
bool IsPunctuation(char32_t c);     // categories P*, and ASCII's symbols
bool IsWordCharacter(char32_t c);   // \w of UTS 18: Alphabetic, M*, Nd, Pc, Join_Control
bool IsMark(char32_t c);            // categories M*
bool IsNonspacingMark(char32_t c);  // category Mn
bool IsOther(char32_t c);           // categories Cc, Cf, Cs, Co

// Appends the lower case of one character (U+0130 has two).
void AppendLower(char32_t c, std::string* out);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// The normal form of UTF-8 text (UAX 15). O(n log n) in runs of marks, O(n) otherwise.
// REQUIRES: well-formed UTF-8
std::string Normalize(std::string_view text, NormalForm form);

// The length of the extended grapheme cluster (UAX 29) that starts at text[at].
// REQUIRES: well-formed UTF-8, at < text.size()
size_t GraphemeBytes(std::string_view text, size_t at);

}  // namespace tenon::text::tokenizer_json
