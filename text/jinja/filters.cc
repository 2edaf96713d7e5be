// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/sequence_filters.h"
#include "text/jinja/strings.h"
#include "text/utf8.h"

// The filters of one value. Those that walk over items are in sequence_filters.cc.
namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

// The text of any value, as jinja2's string filters take it.
std::string TextOf(const Value& input, Run* run) { return ToText(input, run); }

Value Trim(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("trim", arguments, {"chars"}, run);
  const std::string text = TextOf(input, run);
  const std::string_view set = given.String(0, {});
  if (!run->SpendBytes(text.size() * std::max<size_t>(set.size(), 1))) return {};
  return run->NewString(std::string(Strip(text, set, Ends::kBoth)));
}

template <std::string (*map)(std::string_view)>
Value MapText(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("a case filter", arguments, {}, run);
  const std::string text = TextOf(input, run);
  return run->SpendBytes(text.size() * 4) ? run->NewString(map(text)) : Value();
}

// jinja2's title: words start after blank space, hyphens and opening brackets, nowhere else.
Value TitleFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("title", arguments, {}, run);
  const std::string text = TextOf(input, run);
  if (!run->SpendBytes(text.size() * 4)) return {};
  std::string titled;
  bool starts = true;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    const char32_t c = step.kind == Utf8Step::kCharacter ? step.character : 0xFFFD;
    AppendUtf8(starts ? ToUpper(c) : ToLower(c), &titled);
    starts = IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    at += step.bytes;
  }
  return run->NewString(std::move(titled));
}

Value Length(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("length", arguments, {}, run);
  if (input.Is(Kind::kString) && !run->SpendBytes(input.AsString().size())) return {};
  const int64_t length = input.Length();
  if (length < 0) return run->Fail(std::string(input.KindName()) + " has no length");
  return Value::Int(length);
}

Value Default(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("default", arguments, {"default_value", "boolean"}, run);
  const bool missing = input.Is(Kind::kUndefined) || (given.Bool(1, false) && !input.Truthy());
  if (!missing) return input;
  return given.Has(0) ? given[0] : Value::String({});
}

// What json.dumps takes for an indent: a number of spaces, or the text itself.
bool ReadIndent(const Value& indent, JsonStyle* style, Run* run) {
  if (indent.Is(Kind::kUndefined) || indent.Is(Kind::kNone)) return true;
  style->item_separator = ",";
  if (indent.Is(Kind::kString)) {
    style->indent = indent.AsString();
  } else if (indent.IsInteger() && indent.AsInt() <= 1000) {
    style->indent = std::string(static_cast<size_t>(std::max<int64_t>(indent.AsInt(), 0)), ' ');
  } else {
    run->Fail("tojson: the indent is a string or at most 1000 spaces");
  }
  return !run->failed();
}

// As transformers has it, which is json.dumps; jinja2's own takes other arguments and escapes HTML.
Value JsonFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"},
                         run);
  JsonStyle style;
  style.ascii_only = given.Bool(0, false);
  style.sort_keys = given.Bool(3, false);
  if (!ReadIndent(given[1], &style, run)) return {};
  if (given[2].Is(Kind::kList)) {
    const auto& separators = given[2].AsList();
    if (separators.size() != 2 || !separators[0].Is(Kind::kString) ||
        !separators[1].Is(Kind::kString)) {
      return run->Fail("tojson: separators are two strings");
    }
    style.item_separator = separators[0].AsString();
    style.key_separator = separators[1].AsString();
  }
  return run->NewString(ToJson(input, style, run));
}

Value ReplaceFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("replace", arguments, {"old", "new", "count"}, run);
  if (!given.Has(0) || !given.Has(1)) return run->Fail("replace needs two strings");
  Arguments texts;
  for (size_t i = 0; i < 2; ++i) texts.positional.push_back(run->NewString(TextOf(given[i], run)));
  texts.positional.push_back(Value::Int(given.Int(2, -1)));
  return CallMethod(run->NewString(TextOf(input, run)), "replace", texts, run);
}

Value TextFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("string", arguments, {}, run);
  return input.Is(Kind::kString) ? input : run->NewString(TextOf(input, run));
}

Value AttributeFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("attr", arguments, {"name"}, run);
  const Value name = run->NewString(TextOf(given[0], run));
  // Only what a dot finds that a bracket does not: methods and the parts of objects, no entries.
  if (run->failed() || input.Is(Kind::kUndefined)) return Value::Undefined("attr");
  if (input.Is(Kind::kDict) && !HasMethod(input, name.AsString())) {
    return Value::Undefined(name.AsString().substr(0, 64));
  }
  return AttributeOf(input, name.AsString(), run);
}

Value Same(const Value& input, const Arguments&, Run*) { return input; }

// Digits without the underscores between them; false where one stands elsewhere.
bool CopyDigits(std::string_view text, std::string* digits) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto alphanumeric = [](char c) {
      return c != '_' && IsWordPart(static_cast<uint8_t>(c));
    };
    if (text[i] != '_') {
      digits->push_back(text[i]);
    } else if (i == 0 || i + 1 == text.size() || !alphanumeric(text[i - 1]) ||
               !alphanumeric(text[i + 1])) {
      return false;
    }
  }
  return !text.empty() && text[0] != '+' && text[0] != '-' ? true : text.size() > 1;
}

// Python's int(text, base), with its prefixes and underscores.
std::optional<int64_t> ReadInteger(std::string_view text, int64_t base) {
  text = Strip(text, {}, Ends::kBoth);
  std::string digits;
  if (text.starts_with('+') || text.starts_with('-')) {
    if (text[0] == '-') digits = "-";
    text.remove_prefix(1);
  }
  const std::string prefix = Lower(text.substr(0, 2));
  const int64_t named = prefix == "0x" ? 16 : prefix == "0o" ? 8 : prefix == "0b" ? 2 : 0;
  if (named != 0 && (base == named || base == 0)) {
    text.remove_prefix(text.size() > 2 && text[2] == '_' ? 3 : 2);
    base = named;
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36 || !CopyDigits(text, &digits)) return std::nullopt;
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value, static_cast<int>(base));
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

// Python's float(text).
std::optional<double> ReadFloat(std::string_view text) {
  text = Strip(text, {}, Ends::kBoth);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::string digits;
  if (!CopyDigits(text, &digits) || digits.find_first_of("xXpP(") != std::string::npos) {
    return std::nullopt;
  }
  double value = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value);
  if (read.ptr != end) return std::nullopt;
  if (read.ec == std::errc::result_out_of_range) return std::strtod(digits.c_str(), nullptr);
  return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

Value IntFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("int", arguments, {"default", "base"}, run);
  const Value fallback = given.Has(0) ? given[0] : Value::Int(0);
  if (input.Is(Kind::kUndefined)) return run->FailUndefined(input.undefined_name());
  if (input.IsInteger()) return Value::Int(input.AsInt());
  if (!input.Is(Kind::kString) && !input.Is(Kind::kFloat)) return fallback;
  double number = 0;
  if (input.Is(Kind::kString)) {
    if (!run->SpendBytes(input.AsString().size())) return {};
    if (const auto whole = ReadInteger(input.AsString(), given.Int(1, 10))) {
      return Value::Int(*whole);
    }
    const auto read = ReadFloat(input.AsString());
    if (!read || !std::isfinite(*read)) return fallback;
    number = *read;
  } else {
    number = input.AsDouble();
    if (std::isnan(number)) return fallback;
  }
  if (!(std::fabs(number) < 9.2e18)) return run->Fail("int: the number is too large");
  return Value::Int(static_cast<int64_t>(number));
}

Value FloatFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("float", arguments, {"default"}, run);
  const Value fallback = given.Has(0) ? given[0] : Value::Float(0);
  if (input.Is(Kind::kUndefined)) return run->FailUndefined(input.undefined_name());
  if (input.IsNumber()) return Value::Float(input.AsDouble());
  if (!input.Is(Kind::kString) || !run->SpendBytes(input.AsString().size())) return fallback;
  const auto read = ReadFloat(input.AsString());
  return read ? Value::Float(*read) : fallback;
}

Value Absolute(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("abs", arguments, {}, run);
  if (input.Is(Kind::kFloat)) return Value::Float(std::fabs(input.AsDouble()));
  return input.IsInteger() && input.AsInt() >= 0 ? Value::Int(input.AsInt())
                                                 : Negate(input, true, run);
}

// Python's round(number, places): to the nearest decimal, halves to even, of the exact value.
Value RoundedFloat(double number, int64_t places) {
  if (!std::isfinite(number) || places > 300) return Value::Float(number);
  if (places < 0) {
    const double scale = std::pow(10.0, static_cast<double>(std::min<int64_t>(-places, 400)));
    return Value::Float(std::isinf(scale) ? 0.0 : std::nearbyint(number / scale) * scale);
  }
  char text[700];
  std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(places), number);
  return Value::Float(std::strtod(text, nullptr));
}

Value Round(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("round", arguments, {"precision", "method"}, run);
  if (!input.IsNumber()) return run->Fail("cannot round " + std::string(input.KindName()));
  const std::string_view method = given.String(1, "common");
  const int64_t places = given.Int(0, 0);
  if (method == "common") {
    if (input.Is(Kind::kFloat)) return RoundedFloat(input.AsDouble(), places);
    if (places >= 0) return Value::Int(input.AsInt());
    if (places < -18) return Value::Int(0);
    const auto rounded = RoundedFloat(input.AsDouble(), places).AsDouble();
    return std::fabs(rounded) < 9e15 ? Value::Int(static_cast<int64_t>(rounded))
                                     : run->Fail("round: the number is too large");
  }
  if (method != "ceil" && method != "floor") {
    return run->Fail("round: the method is common, ceil or floor");
  }
  const double scale = std::pow(10.0, static_cast<double>(std::clamp<int64_t>(places, -300, 300)));
  const double scaled = input.AsDouble() * scale;
  return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

// The filter of this name; null where there is none.
Filter FindFilter(std::string_view name) {
  static constexpr NamedFilter kFilters[] = {
      {"trim", Trim},
      {"length", Length},
      {"count", Length},
      {"default", Default},
      {"d", Default},
      {"upper", MapText<Upper>},
      {"lower", MapText<Lower>},
      {"capitalize", MapText<Capitalize>},
      {"title", TitleFilter},
      {"tojson", JsonFilter},
      {"replace", ReplaceFilter},
      {"string", TextFilter},
      {"safe", Same},
      {"int", IntFilter},
      {"float", FloatFilter},
      {"abs", Absolute},
      {"round", Round},
      {"attr", AttributeFilter},
  };
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  for (const auto find : {FindSequenceFilter, FindOrderingFilter, FindTextFilter}) {
    if (const Filter filter = find(name)) return filter;
  }
  return nullptr;
}

}  // namespace

bool HasFilter(std::string_view name) { return FindFilter(name) != nullptr; }

Value ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments, Run* run) {
  if (!run->Spend(1)) return {};
  const Filter filter = FindFilter(name);
  if (filter != nullptr) return filter(input, arguments, run);
  return run->Fail("there is no filter named \"" + std::string(name.substr(0, 64)) + "\"");
}

}  // namespace tenon::text::jinja
