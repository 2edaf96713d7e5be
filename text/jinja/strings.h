// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Python's string methods on UTF-8. Case is mapped for ASCII, Latin-1, Latin Extended-A, Greek and
// Cyrillic.
namespace tenon::text::jinja {

char32_t ToUpper(char32_t character);
char32_t ToLower(char32_t character);
bool IsLetter(
    char32_t character);  // within those alphabets, or any other beyond U+02AF that is no space

bool IsWordPart(char32_t character);  // a letter, a digit or _

// The lines of a text, at every line break that Python's str.splitlines knows.
std::vector<std::string_view> Lines(std::string_view text, bool keep_breaks);

std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string Title(std::string_view text);

// Which ends to strip.
enum class Ends { kBoth, kLeft, kRight };

// Strips blank space, or, where `set` is not empty, the characters in it.
std::string_view Strip(std::string_view text, std::string_view set, Ends ends);

// Every `from` (of the first `most`, if not negative) becomes `to`. An empty `from` stands before
// every character and at the end. Stops once the result exceeds limit_bytes, and is then longer
// than it.
std::string Replace(std::string_view text, std::string_view from, std::string_view to, int64_t most,
                    size_t limit_bytes);

}  // namespace tenon::text::jinja
