// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// Python's str(): what {{ value }} prints. Undefined prints nothing.
std::string ToText(const Value& value, Run* run);

// Python's repr(), the form inside lists and dicts: strings in quotes.
std::string ToRepr(const Value& value, Run* run);

struct JsonStyle {
  std::optional<std::string> indent;  // of each level; none: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ascii_only = false;
  bool sort_keys = false;
};

// Python's json.dumps(). Fails the run for what JSON cannot say, or where the text exceeds the
// run's output.
std::string ToJson(const Value& value, const JsonStyle& style, Run* run);

// Python's ascii(): repr() with what is not ASCII escaped.
std::string ToAscii(const Value& value, Run* run);

// Python's repr of a float: the shortest text that reads back the same.
std::string FloatText(double value);

}  // namespace tenon::text::jinja
