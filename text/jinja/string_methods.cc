// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/string_methods.h"

#include <algorithm>
#include <string>

#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

template <Ends ends>
Value StripMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("strip", arguments, {"chars"}, run);
  const std::string_view set = given.String(0, {});
  if (!run->SpendBytes(self.AsString().size() * std::max<size_t>(set.size(), 1))) return {};
  return run->NewString(std::string(Strip(self.AsString(), set, ends)));
}

template <std::string (*map)(std::string_view)>
Value MapMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("a case method", arguments, {}, run);
  if (!run->SpendBytes(self.AsString().size() * 4)) return {};
  return run->NewString(map(self.AsString()));
}

// The part of a text between two indices of characters, as Python's slices count them.
std::string_view Between(const Value& self, const Parameters& given, size_t first, Run* run,
                         int64_t* begin) {
  const std::string_view text = self.AsString();
  *begin = 0;
  if (!given.Has(first) && !given.Has(first + 1)) return text;
  const int64_t size = self.Length();
  const auto index = [&](size_t i, int64_t otherwise) {
    const int64_t at = std::clamp(given.Int(i, otherwise), -size - 1, size + 1);
    return at < 0 ? std::max<int64_t>(at + size, 0) : at;
  };
  *begin = index(first, 0);
  const int64_t end = std::min(index(first + 1, size), size);
  const Value part = SliceOf(self, Value::Int(*begin), Value::Int(end), {}, run);
  if (run->failed() || *begin > end) return {};
  size_t at = 0;
  for (int64_t i = 0; i < *begin; ++i) at += DecodeUtf8(text, at).bytes;
  return text.substr(at, part.AsString().size());
}

// startswith and endswith take one text or several.
template <bool at_end>
Value AffixMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given(at_end ? "endswith" : "startswith", arguments, {"affix", "start", "end"},
                         run);
  int64_t begin = 0;
  const std::string_view text = Between(self, given, 1, run, &begin);
  const bool inside = begin <= self.Length();
  const auto holds = [&](const Value& affix) {
    if (!affix.Is(Kind::kString)) {
      run->Fail("startswith and endswith look for strings");
      return false;
    }
    const std::string& part = affix.AsString();
    return inside && run->SpendBytes(part.size()) &&
           (at_end ? text.ends_with(part) : text.starts_with(part));
  };
  if (!given[0].Is(Kind::kList)) return Value::Bool(holds(given[0]));
  return Value::Bool(std::any_of(given[0].AsList().begin(), given[0].AsList().end(), holds));
}

// Pieces around blank space; of more than `most` cuts, if not negative, the rest stays whole.
std::vector<std::string_view> CutAtSpace(std::string_view text, int64_t most, bool from_right,
                                         Run* run) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at <= text.size() && run->Spend(at == begin ? 1 : 0);) {
    const Utf8Step step = DecodeUtf8(text, at);
    const bool blank =
        at == text.size() || (step.kind == Utf8Step::kCharacter && IsSpace(step.character));
    if (blank && at > begin) words.push_back(text.substr(begin, at - begin));
    at += std::max<size_t>(step.bytes, 1);
    if (blank) begin = at;
  }
  if (most < 0 || words.size() <= static_cast<size_t>(most)) return words;
  const auto kept = static_cast<size_t>(most);
  const auto offset = [&](std::string_view word) {
    return static_cast<size_t>(word.data() - text.data());
  };
  if (from_right) {
    const std::string_view last = words[words.size() - kept - 1];
    const std::string_view rest = text.substr(0, offset(last) + last.size());
    words.erase(words.begin(), words.end() - static_cast<int64_t>(kept));
    words.insert(words.begin(), rest);
  } else {
    const std::string_view rest = text.substr(offset(words[kept]));
    words.resize(kept);
    words.push_back(rest);
  }
  return words;
}

std::vector<std::string_view> CutAt(std::string_view text, std::string_view separator, int64_t most,
                                    bool from_right, Run* run) {
  std::vector<std::string_view> pieces;
  for (; most != 0 && run->Spend(1); --most) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at), behind = text.substr(at + separator.size());
    pieces.push_back(from_right ? behind : before);
    text = from_right ? before : behind;
  }
  pieces.push_back(text);
  if (from_right) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

Value Strings(const std::vector<std::string_view>& pieces, Run* run) {
  std::vector<Value> items;
  for (const std::string_view piece : pieces) items.push_back(run->NewString(std::string(piece)));
  return run->NewList(std::move(items));
}

template <bool from_right>
Value SplitMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("split", arguments, {"sep", "maxsplit"}, run);
  const std::string_view separator = given.String(0, {});
  const int64_t most = std::max<int64_t>(given.Int(1, -1), -1);
  if (!run->SpendSearch(self.AsString(), separator)) return {};
  if (given.Has(0) && given[0].Is(Kind::kString) && separator.empty())
    return run->Fail("split: empty separator");
  return Strings(separator.empty() ? CutAtSpace(self.AsString(), most, from_right, run)
                                   : CutAt(self.AsString(), separator, most, from_right, run),
                 run);
}

Value SplitLines(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("splitlines", arguments, {"keepends"}, run);
  if (!run->SpendBytes(self.AsString().size() * 4)) return {};
  return Strings(Lines(self.AsString(), given.Bool(0, false)), run);
}

// partition and rpartition: the text before, the separator, the text behind.
template <bool from_right>
Value PartitionMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("partition", arguments, {"sep"}, run);
  const std::string_view separator = given.String(0, {}), text = self.AsString();
  if (separator.empty()) return run->Fail("partition: empty separator");
  if (!run->SpendSearch(text, separator)) return {};
  const size_t at = from_right ? text.rfind(separator) : text.find(separator);
  const std::string_view none;
  const auto parts = [&]() -> std::vector<std::string_view> {
    if (at == std::string_view::npos && from_right) return {none, none, text};
    if (at == std::string_view::npos) return {text, none, none};
    return {text.substr(0, at), separator, text.substr(at + separator.size())};
  };
  const Value list = Strings(parts(), run);
  return run->failed() ? Value() : run->NewList(list.AsList(), true);
}

template <bool at_end>
Value RemoveAffix(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given(at_end ? "removesuffix" : "removeprefix", arguments, {"affix"}, run);
  if (!given[0].Is(Kind::kString)) return run->Fail("removeprefix and removesuffix take a string");
  std::string_view text = self.AsString();
  const std::string_view affix = given[0].AsString();
  if (!run->SpendBytes(affix.size())) return {};
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  return run->NewString(std::string(text));
}

// ljust, rjust and center, and zfill, which is rjust with 0 behind the sign.
template <char align>
Value JustifyMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("a justifying method", arguments, {"width", "fillchar"}, run);
  if (!given[0].IsInteger()) return run->Fail("a width is needed");
  FormatSpec spec;
  spec.width = std::clamp<int64_t>(given.Int(0, 0), 0, 1'000'000'000);
  std::string_view text = self.AsString(), sign;
  if (align == '=') {
    spec.fill = "0";
    if (text.starts_with('-') || text.starts_with('+')) sign = text.substr(0, 1);
    text.remove_prefix(sign.size());
  } else if (given.Has(1)) {
    if (!given[1].Is(Kind::kString) || given[1].Length() != 1) {
      return run->Fail("the filling is one character");
    }
    spec.fill = given[1].AsString();
  }
  spec.align = align;
  if (align == '^') {  // Python puts the odd one to the left where the width is odd
    const int64_t missing = spec.width - self.Length();
    const int64_t left = missing / 2 + (missing & spec.width & 1);
    if (missing <= 0) return self;
    spec.align = '>';
    spec.width -= missing - left;
    const std::string half = Padded({}, text, spec, '>', run);
    spec.align = '<';
    spec.width += missing - left;
    return run->NewString(Padded({}, half, spec, '<', run));
  }
  return run->NewString(Padded(sign, text, spec, align, run));
}

Value ReplaceMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("replace", arguments, {"old", "new", "count"}, run);
  if (!given.Has(0) || !given.Has(1)) return run->Fail("replace needs two strings");
  if (!run->SpendSearch(self.AsString(), given.String(0, {}))) return {};
  const size_t limit = run->limits().output_bytes;
  std::string result =
      Replace(self.AsString(), given.String(0, {}), given.String(1, {}), given.Int(2, -1), limit);
  if (result.size() > limit)
    return run->Fail("a string grows beyond " + std::to_string(limit) + " bytes");
  return run->NewString(std::move(result));
}

Value JoinMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("join", arguments, {"items"}, run);
  std::string joined;
  bool first = true;
  const Value items = ListOf(given[0], run);
  for (const Value& item : items.AsList()) {
    if (!item.Is(Kind::kString))
      return run->Fail("join: an item is " + std::string(item.KindName()));
    if (!run->SpendBytes(joined.empty() ? 0 : self.AsString().size() + item.AsString().size()))
      return {};
    if (!first) joined += self.AsString();
    first = false;
    joined += item.AsString();
  }
  return run->NewString(std::move(joined));
}

template <bool from_right, bool fails>
Value FindMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("find", arguments, {"sub", "start", "end"}, run);
  if (!given[0].Is(Kind::kString)) return run->Fail("find looks for a string");
  const std::string_view part = given[0].AsString();
  if (!run->SpendSearch(self.AsString(), part)) return {};
  int64_t begin = 0;
  const std::string_view text = Between(self, given, 1, run, &begin);
  const size_t at = from_right ? text.rfind(part) : text.find(part);
  if (at != std::string_view::npos && begin <= self.Length()) {
    return Value::Int(begin + static_cast<int64_t>(CountCharacters(text.substr(0, at))));
  }
  return fails ? run->Fail("index: the part is not in the text") : Value::Int(-1);
}

Value CountPart(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("count", arguments, {"sub", "start", "end"}, run);
  if (!given[0].Is(Kind::kString)) return run->Fail("count looks for a string");
  const std::string_view part = given[0].AsString();
  if (!run->SpendSearch(self.AsString(), part)) return {};
  int64_t begin = 0, count = 0;
  const std::string_view text = Between(self, given, 1, run, &begin);
  if (part.empty()) return Value::Int(static_cast<int64_t>(CountCharacters(text)) + 1);
  for (size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size())
    ++count;
  return Value::Int(count);
}

Value FormatMethod(const Value& self, const Arguments& arguments, Run* run) {
  return FormatBraces(self.AsString(), arguments, run);
}

// isdigit and the like: whether the text is not empty and each character holds.
template <bool (*holds)(char32_t)>
Value AllMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("a character test", arguments, {}, run);
  const std::string& text = self.AsString();
  if (!run->SpendBytes(text.size())) return {};
  bool all = !text.empty();
  for (size_t at = 0; all && at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    all = step.kind == Utf8Step::kCharacter && holds(step.character);
    at += step.bytes;
  }
  return Value::Bool(all);
}

bool IsDigit(char32_t c) { return c >= '0' && c <= '9'; }
bool IsAlphanumeric(char32_t c) { return IsDigit(c) || IsLetter(c); }

char32_t SwapCase(char32_t c) { return ToLower(c) != c ? ToLower(c) : ToUpper(c); }

Value SwapCaseMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("swapcase", arguments, {}, run);
  const std::string& text = self.AsString();
  if (!run->SpendBytes(text.size() * 4)) return {};
  std::string swapped;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    AppendUtf8(step.kind == Utf8Step::kCharacter ? SwapCase(step.character) : 0xFFFD, &swapped);
    at += step.bytes;
  }
  return run->NewString(std::move(swapped));
}

// isupper, islower and istitle: whether a case's own mapping changes nothing, and some letter has
// case.
template <std::string (*map)(std::string_view)>
Value CaseMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("a case test", arguments, {}, run);
  const std::string& text = self.AsString();
  if (!run->SpendBytes(text.size() * 12)) return {};
  return Value::Bool(map(text) == text && Upper(text) != Lower(text));
}

constexpr Method kStringMethods[] = {
    {"strip", StripMethod<Ends::kBoth>},
    {"lstrip", StripMethod<Ends::kLeft>},
    {"rstrip", StripMethod<Ends::kRight>},
    {"upper", MapMethod<Upper>},
    {"lower", MapMethod<Lower>},
    {"capitalize", MapMethod<Capitalize>},
    {"title", MapMethod<Title>},
    {"startswith", AffixMethod<false>},
    {"endswith", AffixMethod<true>},
    {"split", SplitMethod<false>},
    {"rsplit", SplitMethod<true>},
    {"splitlines", SplitLines},
    {"replace", ReplaceMethod},
    {"join", JoinMethod},
    {"find", FindMethod<false, false>},
    {"rfind", FindMethod<true, false>},
    {"index", FindMethod<false, true>},
    {"rindex", FindMethod<true, true>},
    {"count", CountPart},
    {"partition", PartitionMethod<false>},
    {"rpartition", PartitionMethod<true>},
    {"removeprefix", RemoveAffix<false>},
    {"removesuffix", RemoveAffix<true>},
    {"ljust", JustifyMethod<'<'>},
    {"rjust", JustifyMethod<'>'>},
    {"center", JustifyMethod<'^'>},
    {"zfill", JustifyMethod<'='>},
    {"format", FormatMethod},
    {"swapcase", SwapCaseMethod},
    {"casefold", MapMethod<Lower>},
    {"isupper", CaseMethod<Upper>},
    {"islower", CaseMethod<Lower>},
    {"istitle", CaseMethod<Title>},
    {"isdecimal", AllMethod<IsDigit>},
    {"isnumeric", AllMethod<IsDigit>},
    {"isdigit", AllMethod<IsDigit>},
    {"isalpha", AllMethod<IsLetter>},
    {"isalnum", AllMethod<IsAlphanumeric>},
    {"isspace", AllMethod<IsSpace>},
};

}  // namespace

std::span<const Method> StringMethods() { return kStringMethods; }

}  // namespace tenon::text::jinja
