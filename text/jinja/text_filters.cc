// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/sequence_filters.h"
#include "text/jinja/strings.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

// The filters that rewrite a text.
namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

bool TooLong(const std::string& text, Run* run) {
  return !run->failed() && text.size() > run->limits().output_bytes;
}

Value Escape(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("escape", arguments, {}, run);
  std::string escaped;
  for (const char c : ToText(input, run)) {
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

Value Indent(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("indent", arguments, {"width", "first", "blank"}, run);
  if (!input.Is(Kind::kString)) return run->Fail("indent: the input is no string");
  std::string margin;
  if (given[0].Is(Kind::kString)) {
    margin = given[0].AsString();
  } else {
    const int64_t width = given.Int(0, 4);
    if (width > 1000) return run->Fail("indent: the width must be 0 to 1000");
    margin.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool blank = given.Bool(2, false);
  if (!run->SpendBytes(input.AsString().size() * 4)) return {};
  const std::string text = input.AsString() + "\n";
  std::string indented;
  bool first = true;
  for (const std::string_view line : Lines(text, false)) {
    if (!first) indented.push_back('\n');
    if (first ? given.Bool(1, false) : blank || !line.empty()) {
      if (!run->SpendBytes(margin.size())) return {};
      indented += margin;
    }
    first = false;
    indented += line;
    if (TooLong(indented, run)) break;
  }
  return run->NewString(std::move(indented));
}

Value WordCount(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("wordcount", arguments, {}, run);
  const std::string text = ToText(input, run);
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    const bool word = step.kind == Utf8Step::kCharacter && IsWordPart(step.character);
    count += word && !inside;
    inside = word;
    at += step.bytes;
  }
  return Value::Int(count);
}

Value Center(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("center", arguments, {"width"}, run);
  Arguments width;
  width.positional.push_back(Value::Int(given.Int(0, 80)));
  return CallMethod(run->NewString(ToText(input, run)), "center", width, run);
}

Value Truncate(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("truncate", arguments, {"length", "killwords", "end", "leeway"}, run);
  const int64_t length = given.Int(0, 255), leeway = given.Int(3, 5);
  const std::string end(given.String(2, "..."));
  const auto cut = length - static_cast<int64_t>(CountCharacters(end));
  if (cut < 0 || leeway < 0) return run->Fail("truncate: the length is too small");
  if (input.Length() < 0) return run->Fail(std::string(input.KindName()) + " has no length");
  if (input.Length() - leeway <= length) return input;
  if (!input.Is(Kind::kString)) return run->Fail("truncate cuts texts only");
  const Value& text = input;
  std::string kept = SliceOf(text, Value::Int(0), Value::Int(cut), {}, run).Is(Kind::kString)
                         ? SliceOf(text, Value::Int(0), Value::Int(cut), {}, run).AsString()
                         : std::string();
  if (!given.Bool(1, false)) kept = kept.substr(0, kept.rfind(' '));
  return run->NewString(kept + end);
}

// A character reference's meaning, for those that HTML itself needs; empty for others.
std::string Unescaped(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNames = {
      {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", "\u00a0"}}};
  for (const auto& [known, meaning] : kNames) {
    if (known == name) return std::string(meaning);
  }
  if (!name.starts_with('#')) return {};
  name.remove_prefix(1);
  const bool hex = name.starts_with('x') || name.starts_with('X');
  if (hex) name.remove_prefix(1);
  uint32_t character = 0;
  const auto read =
      std::from_chars(name.data(), name.data() + name.size(), character, hex ? 16 : 10);
  std::string meaning;
  if (read.ec == std::errc() && read.ptr == name.data() + name.size() && character > 0) {
    AppendUtf8(character, &meaning);
  }
  return meaning;
}

// Without what stands from each `begin` to the next `end`.
std::string Without(std::string_view text, std::string_view begin, std::string_view end) {
  std::string kept;
  while (true) {
    const size_t from = text.find(begin);
    const size_t to = from == std::string_view::npos ? from : text.find(end, from + begin.size());
    if (to == std::string_view::npos) return kept += text;
    kept += text.substr(0, from);
    text.remove_prefix(to + end.size());
  }
}

Value StripTags(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("striptags", arguments, {}, run);
  const std::string text = ToText(input, run);
  if (!run->SpendBytes(text.size() * 8)) return {};
  const std::string bare = Without(Without(text, "<!--", "-->"), "<", ">");
  const Value words = CallMethod(run->NewString(bare), "split", {}, run);
  if (run->failed()) return {};
  std::string stripped;
  for (const Value& word : words.AsList()) {
    if (!stripped.empty()) stripped.push_back(' ');
    std::string_view rest = word.AsString();
    while (!rest.empty()) {
      const size_t mark = rest.find('&'),
                   end = std::min(rest.substr(0, 40).find(';', 1), rest.size());
      const std::string meaning =
          mark == 0 && end < rest.size() ? Unescaped(rest.substr(1, end - 1)) : std::string();
      const size_t taken =
          !meaning.empty() ? end + 1 : std::min(std::max<size_t>(mark, 1), rest.size());
      stripped += meaning.empty() ? rest.substr(0, taken) : std::string_view(meaning);
      rest.remove_prefix(taken);
    }
  }
  return run->NewString(std::move(stripped));
}

// In a query, blanks become + and slashes are quoted too.
void AppendQuoted(std::string_view text, bool slash_is_safe, std::string* out) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const bool plain = byte < 0x80 && (IsWordPart(byte) || c == '-' || c == '.' || c == '~');
    if (plain || (c == '/' && slash_is_safe)) {
      out->push_back(c);
    } else if (c == ' ' && !slash_is_safe) {
      out->push_back('+');
    } else {
      out->append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

// A text with %XX for what URLs give a meaning to; of a dict or pairs, a query.
Value UrlEncode(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("urlencode", arguments, {}, run);
  std::string quoted;
  if (!input.Is(Kind::kList) && !input.Is(Kind::kDict)) {
    AppendQuoted(ToText(input, run), true, &quoted);
    return run->NewString(std::move(quoted));
  }
  const Value pairs = input.Is(Kind::kDict) ? CallMethod(input, "items", {}, run) : input;
  if (run->failed()) return {};
  for (const Value& pair : pairs.AsList()) {
    const Value parts = ListOf(pair, run);
    if (parts.AsList().size() != 2) return run->Fail("urlencode takes a text, a dict or pairs");
    if (!quoted.empty()) quoted.push_back('&');
    AppendQuoted(ToText(parts.AsList()[0], run), false, &quoted);
    quoted.push_back('=');
    AppendQuoted(ToText(parts.AsList()[1], run), false, &quoted);
    if (TooLong(quoted, run) || run->failed()) break;
  }
  return run->NewString(std::move(quoted));
}

// "%s: %d"|format(a, b)
Value Format(const Value& input, const Arguments& arguments, Run* run) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    return run->Fail("format takes arguments with names or without, not both");
  }
  std::vector<Entry> named;
  for (const auto& [name, value] : arguments.named) {
    named.emplace_back(run->NewString(std::string(name)), value);
  }
  const Value values =
      named.empty() ? run->NewList(arguments.positional, true) : run->NewDict(std::move(named));
  return FormatPercent(ToText(input, run), values, run);
}

}  // namespace

Filter FindTextFilter(std::string_view name) {
  static constexpr NamedFilter kFilters[] = {
      {"escape", Escape},       {"e", Escape},
      {"forceescape", Escape},  {"indent", Indent},
      {"wordcount", WordCount}, {"center", Center},
      {"truncate", Truncate},   {"striptags", StripTags},
      {"urlencode", UrlEncode}, {"format", Format},
  };
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace tenon::text::jinja
