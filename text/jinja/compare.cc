// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/compare.h"

#include <algorithm>

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

// Integers exactly, where both are; doubles otherwise.
int CompareNumbers(const Value& a, const Value& b) {
  if (a.IsInteger() && b.IsInteger()) {
    return a.AsInt() < b.AsInt() ? -1 : a.AsInt() > b.AsInt() ? 1 : 0;
  }
  return a.AsDouble() < b.AsDouble() ? -1 : a.AsDouble() > b.AsDouble() ? 1 : 0;
}

bool NumbersEqual(const Value& a, const Value& b) {
  return a.IsInteger() && b.IsInteger() ? a.AsInt() == b.AsInt() : a.AsDouble() == b.AsDouble();
}

bool DictsEqual(const Value& a, const Value& b, Run* run) {
  if (a.AsDict().size() != b.AsDict().size()) return false;
  for (const auto& [wanted_key, value] : a.AsDict()) {
    const Value& wanted = wanted_key;
    if (!run->Spend(static_cast<int64_t>(b.AsDict().size()) / 8 + 1)) return false;
    const auto other = std::find_if(b.AsDict().begin(), b.AsDict().end(),
                                    [&wanted](const Entry& e) { return SameKey(e.first, wanted); });
    if (other == b.AsDict().end() || !Equal(value, other->second, run)) return false;
  }
  return true;
}

}  // namespace

bool SameKey(const Value& a, const Value& b) {
  if (a.IsNumber() && b.IsNumber()) return NumbersEqual(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      return a.AsString() == b.AsString();
    case Kind::kNamespace:
      return &a.AsNamespace() == &b.AsNamespace();
    case Kind::kCallable:
      return &a.AsCallable() == &b.AsCallable();
    case Kind::kLoop:
      return &a.AsLoop() == &b.AsLoop();
    default:
      return false;
  }
}

bool Equal(const Value& a, const Value& b, Run* run) {
  if (!run->Spend(1)) return false;
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) {
    return run->SpendBytes(std::min(a.AsString().size(), b.AsString().size())) &&
           a.AsString() == b.AsString();
  }
  if (a.Is(Kind::kList) && b.Is(Kind::kList)) {
    const auto &left = a.AsList(), &right = b.AsList();
    if (a.IsTuple() != b.IsTuple() || left.size() != right.size()) return false;
    for (size_t i = 0; i < left.size(); ++i) {
      if (!Equal(left[i], right[i], run)) return false;
    }
    return true;
  }
  if (a.Is(Kind::kDict) && b.Is(Kind::kDict)) return DictsEqual(a, b, run);
  return SameKey(a, b);
}

bool Less(const Value& a, const Value& b, Run* run) {
  if (!run->Spend(1)) return false;
  if (a.IsNumber() && b.IsNumber()) return CompareNumbers(a, b) < 0;
  // The order of UTF-8 bytes is that of the characters.
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) {
    return run->SpendBytes(std::min(a.AsString().size(), b.AsString().size())) &&
           a.AsString() < b.AsString();
  }
  if (a.Is(Kind::kList) && b.Is(Kind::kList) && a.IsTuple() == b.IsTuple()) {
    const auto &left = a.AsList(), &right = b.AsList();
    for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
      if (!Equal(left[i], right[i], run)) return Less(left[i], right[i], run);
    }
    return left.size() < right.size();
  }
  run->Fail("cannot order " + std::string(a.KindName()) + " and " + std::string(b.KindName()));
  return false;
}

bool Contains(const Value& container, const Value& item, Run* run) {
  switch (container.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kString:
      if (!item.Is(Kind::kString)) {
        run->Fail("cannot look for " + std::string(item.KindName()) + " in a string");
        return false;
      }
      return run->SpendSearch(container.AsString(), item.AsString()) &&
             container.AsString().find(item.AsString()) != std::string::npos;
    case Kind::kList:
      return std::any_of(container.AsList().begin(), container.AsList().end(),
                         [&](const Value& value) { return Equal(value, item, run); });
    case Kind::kDict:
      if (item.Is(Kind::kDict) || (item.Is(Kind::kList) && !item.IsTuple())) {
        run->Fail(std::string(item.KindName()) + " is no dict's key");
        return false;
      }
      return run->Spend(static_cast<int64_t>(container.AsDict().size()) / 8 + 1) &&
             std::any_of(container.AsDict().begin(), container.AsDict().end(),
                         [&](const Entry& entry) { return SameKey(entry.first, item); });
    case Kind::kNamespace:
      return item.Is(Kind::kString) && container.Find(item.AsString()) != nullptr;
    default:
      run->Fail("cannot look for something in " + std::string(container.KindName()));
      return false;
  }
}

}  // namespace tenon::text::jinja
