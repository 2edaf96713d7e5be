// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/json_text.h"

#include <charconv>
#include <cmath>

#include "text/utf8.h"

namespace tenon::apps::openai {

void AppendEscaped(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t plain = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text.substr(plain, at - plain));
    plain = at + 1;
    out->push_back('\\');
    switch (c) {
      case '"':
      case '\\':
        out->push_back(static_cast<char>(c));
        break;
      case '\n':
        out->push_back('n');
        break;
      case '\r':
        out->push_back('r');
        break;
      case '\t':
        out->push_back('t');
        break;
      default:
        out->append("u00");
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
    }
  }
  out->append(text.substr(plain));
}

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  AppendEscaped(text, out);
  out->push_back('"');
}

void AppendNumber(int64_t value, std::string* out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out->append(digits, end.ptr);
}

void AppendFloat(float value, std::string* out) {
  if (!std::isfinite(value)) {
    *out += "null";
    return;
  }
  // "-0" would be read as a whole number, which has no such zero.
  if (value == 0 && std::signbit(value)) {
    *out += "-0.0";
    return;
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out->append(digits, end.ptr);
}

void AppendLogprob(float value, std::string* out) {
  AppendFloat(std::isfinite(value) ? value : -9999.0f, out);
}

std::string_view FirstCharacters(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  text = text.substr(0, bytes);
  return text.substr(0, text::ValidUtf8Prefix(text));
}

}  // namespace tenon::apps::openai
