// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/arguments.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

// Python's two ways to put values into a text. What cannot be done fails the run.
namespace tenon::text::jinja {

// format % values: a tuple's items one by one, a dict's by their names, or one value.
Value FormatPercent(std::string_view format, const Value& values, Run* run);

// format.format(...): {}, {0}, {name}, {a.b[c]!r:spec}, {{, }}.
Value FormatBraces(std::string_view format, const Arguments& arguments, Run* run);

// How one value is written: [[fill]align][sign][#][0][width][grouping][.precision][type].
struct FormatSpec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =; none: what the kind of value asks for
  char sign = '-';    // - + or a space
  bool alternate = false;
  char grouping = '\0';  // , or _
  int64_t width = 0;
  std::optional<int64_t> precision;
  char type = '\0';
};

inline constexpr int64_t kMaxFormatPrecision = 1000;

// A number's text as the spec has it; a type that does not fit the number fails the run.
std::string FormatNumber(const Value& number, const FormatSpec& spec, Run* run);

// A text of the spec's precision and width.
std::string FormatText(std::string_view text, const FormatSpec& spec, Run* run);

// `text` behind `sign`, filled up to the width; numbers go to the right, texts to the left.
std::string Padded(std::string_view sign, std::string_view text, const FormatSpec& spec,
                   char default_align, Run* run);

}  // namespace tenon::text::jinja
