// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"
#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

struct Method {
  std::string_view name;
  Value (*call)(const Value& self, const Arguments& arguments, Run* run);
};

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

// startswith and endswith take one text or several.
template <bool at_end>
Value AffixMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given(at_end ? "endswith" : "startswith", arguments, {"affix"}, run);
  const auto holds = [&](const Value& affix) {
    if (!affix.Is(Kind::kString)) {
      run->Fail("startswith and endswith look for strings");
      return false;
    }
    const std::string &text = self.AsString(), &part = affix.AsString();
    return run->SpendBytes(part.size()) && (at_end ? text.ends_with(part) : text.starts_with(part));
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
  std::string_view text = self.AsString();
  std::vector<std::string_view> lines;
  while (!text.empty() && run->Spend(1)) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const size_t newline = end == text.size() ? 0 : text.substr(end).starts_with("\r\n") ? 2 : 1;
    lines.push_back(text.substr(0, given.Bool(0, false) ? end + newline : end));
    text.remove_prefix(end + newline);
  }
  return run->SpendBytes(self.AsString().size()) ? Strings(lines, run) : Value();
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
  for (const Value& item : ItemsOf(given[0], run)) {
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

template <bool from_right>
Value FindMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("find", arguments, {"sub"}, run);
  const std::string& text = self.AsString();
  const std::string_view part = given.String(0, {});
  if (!run->SpendSearch(text, part)) return {};
  const size_t at = from_right ? text.rfind(part) : text.find(part);
  if (at == std::string::npos) return Value::Int(-1);
  return Value::Int(static_cast<int64_t>(CountCharacters(std::string_view(text).substr(0, at))));
}

Value CountMethod(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("count", arguments, {"sub"}, run);
  int64_t count = 0;
  if (self.Is(Kind::kList)) {
    for (const Value& item : self.AsList()) count += Equal(item, given[0], run);
    return Value::Int(count);
  }
  const std::string_view part = given.String(0, {});
  if (!run->SpendSearch(self.AsString(), part)) return {};
  if (part.empty()) return Value::Int(self.Length() + 1);
  for (size_t at = 0; (at = self.AsString().find(part, at)) != std::string::npos; at += part.size())
    ++count;
  return Value::Int(count);
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
    {"find", FindMethod<false>},
    {"rfind", FindMethod<true>},
    {"count", CountMethod},
    {"isdigit", AllMethod<IsDigit>},
    {"isalpha", AllMethod<IsLetter>},
    {"isalnum", AllMethod<IsAlphanumeric>},
    {"isspace", AllMethod<IsSpace>},
};

Value DictPart(const Value& self, bool keys, bool values, Run* run) {
  std::vector<Value> items;
  for (const auto& [key, value] : self.AsDict()) {
    if (run->failed()) return {};
    items.push_back(keys && values ? run->NewList({key, value}, true) : keys ? key : value);
  }
  return run->NewList(std::move(items));
}

constexpr Method kDictMethods[] = {
    {"get",
     [](const Value& self, const Arguments& arguments, Run* run) {
       const Parameters given("get", arguments, {"key", "default"}, run);
       if (Contains(self, given[0], run)) return ItemOf(self, given[0], run);
       return given.Has(1) ? given[1] : Value::None();
     }},
    {"items",
     [](const Value& self, const Arguments&, Run* run) { return DictPart(self, true, true, run); }},
    {"keys", [](const Value& self, const Arguments&,
                Run* run) { return DictPart(self, true, false, run); }},
    {"values", [](const Value& self, const Arguments&,
                  Run* run) { return DictPart(self, false, true, run); }},
};

constexpr Method kListMethods[] = {
    {"count", CountMethod},
    {"index",
     [](const Value& self, const Arguments& arguments, Run* run) {
       const Parameters given("index", arguments, {"item"}, run);
       for (size_t i = 0; i < self.AsList().size(); ++i) {
         if (Equal(self.AsList()[i], given[0], run)) return Value::Int(static_cast<int64_t>(i));
       }
       return run->Fail("index: the item is not in the list");
     }},
};

std::span<const Method> MethodsOf(const Value& self) {
  if (self.Is(Kind::kString)) return kStringMethods;
  if (self.Is(Kind::kDict)) return kDictMethods;
  if (self.Is(Kind::kList)) return kListMethods;
  return {};
}

}  // namespace

bool HasMethod(const Value& self, std::string_view name) {
  const auto methods = MethodsOf(self);
  return std::any_of(methods.begin(), methods.end(),
                     [&](const Method& m) { return m.name == name; });
}

Value CallMethod(const Value& self, std::string_view name, const Arguments& arguments, Run* run) {
  for (const Method& method : MethodsOf(self)) {
    if (method.name == name) return method.call(self, arguments, run);
  }
  if (self.Is(Kind::kUndefined)) {
    return run->FailUndefined(self.undefined_name(), name);
  }
  return run->Fail(std::string(self.KindName()) + " has no method \"" + std::string(name) + "\"");
}

}  // namespace tenon::text::jinja
