// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>

#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

std::string Wrong(const Value& value, char type, Run* run) {
  run->Fail("cannot format " + std::string(value.KindName()) + " as \"" + std::string(1, type) +
            "\"");
  return {};
}

void Group(char separator, size_t every, std::string* digits) {
  size_t end = 0;
  while (end < digits->size() && std::isxdigit(static_cast<unsigned char>((*digits)[end]))) ++end;
  for (size_t at = end; at > every;) {
    at -= every;
    digits->insert(at, 1, separator);
  }
}

void MakeUpper(std::string* text) {
  for (char& c : *text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
}

// Digits of a magnitude in the type's base, with its prefix where asked for.
std::string IntegerDigits(uint64_t magnitude, const FormatSpec& spec) {
  const char type = spec.type;
  const int base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  char text[72];
  const auto end = std::to_chars(text, text + sizeof(text), magnitude, base);
  std::string digits(text, end.ptr);
  if (spec.grouping != '\0') Group(spec.grouping, base == 10 ? 3 : 4, &digits);
  if (type == 'X') MakeUpper(&digits);
  return digits;
}

// A float's magnitude in one of C's forms, which are Python's.
std::string FloatDigits(double magnitude, const FormatSpec& spec) {
  char type = spec.type;
  const bool percent = type == '%';
  if (percent) {
    type = 'f';
    magnitude *= 100;
  }
  const bool general = type == '\0' || type == 'n';
  char form[] = {'%', '#', '.', '*', general ? 'g' : type, '\0'};
  const auto precision =
      static_cast<int>(std::max<int64_t>(spec.precision.value_or(6), general ? 1 : 0));
  char text[kMaxFormatPrecision + 330];
  if (spec.alternate) {
    std::snprintf(text, sizeof(text), form, precision, magnitude);
  } else {
    const std::string plain = std::string("%") + (form + 2);
    std::snprintf(text, sizeof(text), plain.c_str(), precision, magnitude);
  }
  std::string digits = text;
  if (type == '\0' && std::isfinite(magnitude) && digits.find_first_of(".e") == std::string::npos) {
    digits += ".0";
  }
  if (spec.grouping != '\0') Group(spec.grouping, 3, &digits);
  return percent ? digits + "%" : digits;
}

std::string_view SignOf(bool negative, char sign) {
  return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

std::string FormatInteger(const Value& number, const FormatSpec& spec, Run* run) {
  const int64_t value = number.AsInt();
  const uint64_t magnitude =
      value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string sign(SignOf(value < 0, spec.sign));
  if (spec.type == 'c') {
    std::string text;
    if (value < 0 || value > 0x10FFFF) return Wrong(number, 'c', run);
    AppendUtf8(static_cast<char32_t>(value), &text);
    return Padded({}, text, spec, '<', run);
  }
  const bool decimal = spec.type == '\0' || spec.type == 'd' || spec.type == 'n';
  if (spec.alternate && !decimal) sign.append({'0', spec.type});
  return Padded(sign, IntegerDigits(magnitude, spec), spec, '>', run);
}

}  // namespace

std::string Padded(std::string_view sign, std::string_view text, const FormatSpec& spec,
                   char default_align, Run* run) {
  const auto size = static_cast<int64_t>(CountCharacters(text) + sign.size());
  const int64_t missing = std::max<int64_t>(spec.width - size, 0);
  if (!run->SpendBytes(static_cast<size_t>(missing) * spec.fill.size() + text.size()) ||
      !run->Reserve(static_cast<size_t>(missing) * spec.fill.size() + text.size())) {
    return {};
  }
  const char align = spec.align != '\0' ? spec.align : default_align;
  const int64_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string padded;
  if (align == '=') padded += sign;
  for (int64_t i = 0; i < before; ++i) padded += spec.fill;
  if (align != '=') padded += sign;
  padded += text;
  for (int64_t i = before; i < missing; ++i) padded += spec.fill;
  return padded;
}

std::string FormatText(std::string_view text, const FormatSpec& spec, Run* run) {
  if (!run->SpendBytes(text.size())) return {};
  if (spec.precision) {
    size_t end = 0;
    for (int64_t i = 0; i < *spec.precision && end < text.size(); ++i) {
      end += DecodeUtf8(text, end).bytes;
    }
    text = text.substr(0, end);
  }
  return Padded({}, text, spec, '<', run);
}

std::string FormatNumber(const Value& number, const FormatSpec& spec, Run* run) {
  if (spec.precision.value_or(0) > kMaxFormatPrecision) {
    run->Fail("a precision above " + std::to_string(kMaxFormatPrecision));
    return {};
  }
  const char type = spec.type;
  const bool real =
      type != '\0' && std::string_view("eEfFgG%").find(type) != std::string_view::npos;
  const bool whole =
      type == '\0' || std::string_view("dxXobnc").find(type) != std::string_view::npos;
  if (number.IsInteger() && whole) {
    if (!spec.precision) return FormatInteger(number, spec, run);
    run->Fail("an integer's format has no precision");
    return {};
  }
  if (!real && !(number.Is(Kind::kFloat) && (type == '\0' || type == 'n'))) {
    return Wrong(number, type, run);
  }
  const double value = number.AsDouble();
  const double magnitude = std::fabs(value);
  FormatSpec used = spec;
  if (type == 'F') used.type = 'f';
  std::string digits =
      type == '\0' && !spec.precision ? FloatText(magnitude) : FloatDigits(magnitude, used);
  if (type == '\0' && !spec.precision && spec.grouping != '\0') Group(spec.grouping, 3, &digits);
  if (type == 'E' || type == 'G' || type == 'F') MakeUpper(&digits);
  return Padded(SignOf(std::signbit(value) && !std::isnan(value), spec.sign), digits, used, '>',
                run);
}

}  // namespace tenon::text::jinja
