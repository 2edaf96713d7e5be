// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
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

Value JsonFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"},
                         run);
  // jinja2's own tojson takes indent first; chat templates always name it, so an integer there is
  // one.
  const bool indent_first = given.Has(0) && given[0].Is(Kind::kInt);
  JsonStyle style;
  style.ascii_only = !indent_first && given.Bool(0, false);
  style.indent =
      static_cast<int>(std::clamp<int64_t>(given.Int(indent_first ? 0 : 1, -1), -1, 1000));
  style.sort_keys = given.Bool(3, false);
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
  return CallMethod(run->NewString(TextOf(input, run)), "replace", arguments, run);
}

Value TextFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("string", arguments, {}, run);
  return input.Is(Kind::kString) ? input : run->NewString(TextOf(input, run));
}

Value Same(const Value& input, const Arguments&, Run*) { return input; }

Value Escape(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("escape", arguments, {}, run);
  std::string escaped;
  for (const char c : TextOf(input, run)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped.push_back(c);
    }
  }
  return run->NewString(std::move(escaped));
}

Value IntFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("int", arguments, {"default"}, run);
  const Value fallback = given.Has(0) ? given[0] : Value::Int(0);
  if (input.IsInteger()) return Value::Int(input.AsInt());
  double number = 0;
  if (input.Is(Kind::kString)) {
    const std::string_view text = Strip(input.AsString(), {}, Ends::kBoth);
    int64_t whole = 0;
    auto read = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size()) return Value::Int(whole);
    read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return fallback;
  } else if (input.Is(Kind::kFloat)) {
    number = input.AsDouble();
  } else {
    return fallback;
  }
  if (!(std::fabs(number) < 9e18)) return fallback;
  return Value::Int(static_cast<int64_t>(number));
}

Value FloatFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("float", arguments, {"default"}, run);
  const Value fallback = given.Has(0) ? given[0] : Value::Float(0);
  if (input.IsNumber()) return Value::Float(input.AsDouble());
  if (!input.Is(Kind::kString)) return fallback;
  const std::string_view text = Strip(input.AsString(), {}, Ends::kBoth);
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole ? Value::Float(number) : fallback;
}

Value Absolute(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("abs", arguments, {}, run);
  if (input.Is(Kind::kFloat)) return Value::Float(std::fabs(input.AsDouble()));
  return input.IsInteger() && input.AsInt() >= 0 ? Value::Int(input.AsInt())
                                                 : Negate(input, true, run);
}

Value Round(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("round", arguments, {"precision", "method"}, run);
  if (!input.IsNumber()) return run->Fail("cannot round " + std::string(input.KindName()));
  const double scale =
      std::pow(10.0, static_cast<double>(std::clamp<int64_t>(given.Int(0, 0), -15, 15)));
  const std::string_view method = given.String(1, "common");
  const double scaled = input.AsDouble() * scale;
  const double rounded = method == "ceil"    ? std::ceil(scaled)
                         : method == "floor" ? std::floor(scaled)
                                             : std::nearbyint(scaled);
  return Value::Float(rounded / scale);
}

Value Indent(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("indent", arguments, {"width", "first", "blank"}, run);
  std::string margin;
  if (given[0].Is(Kind::kString)) {
    margin = given[0].AsString();
  } else {
    const int64_t width = given.Int(0, 4);
    if (width < 0 || width > 1000) return run->Fail("indent: the width must be 0 to 1000");
    margin.assign(static_cast<size_t>(width), ' ');
  }
  const std::string text = TextOf(input, run);
  const size_t limit = run->limits().output_bytes;
  std::string indented;
  bool first = true;
  for (size_t at = 0; at <= text.size() && run->Spend(1);) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if ((!first || given.Bool(1, false)) && (first || end > at || given.Bool(2, false)))
      indented += margin;
    first = false;
    indented.append(text, at, end - at);
    if (indented.size() > limit)
      return run->Fail("a string grows beyond " + std::to_string(limit) + " bytes");
    if (end < text.size()) indented.push_back('\n');
    at = end + 1;
  }
  return run->NewString(std::move(indented));
}

Value WordCount(const Value& input, const Arguments&, Run* run) {
  const Value words = CallMethod(run->NewString(TextOf(input, run)), "split", {}, run);
  return Value::Int(std::max<int64_t>(words.Length(), 0));
}

}  // namespace

Value ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments, Run* run) {
  static constexpr struct {
    std::string_view name;
    Filter filter;
  } kFilters[] = {
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
      {"escape", Escape},
      {"e", Escape},
      {"int", IntFilter},
      {"float", FloatFilter},
      {"abs", Absolute},
      {"round", Round},
      {"indent", Indent},
      {"wordcount", WordCount},
  };
  if (!run->Spend(1)) return {};
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter(input, arguments, run);
  }
  if (const Filter filter = FindSequenceFilter(name)) return filter(input, arguments, run);
  return run->Fail("there is no filter named \"" + std::string(name) + "\"");
}

}  // namespace tenon::text::jinja
