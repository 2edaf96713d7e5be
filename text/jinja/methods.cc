// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/operators.h"
#include "text/jinja/string_methods.h"

// The methods of lists, dicts and numbers; those of strings are in string_methods.cc.
namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

Value CountItems(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("count", arguments, {"item"}, run);
  int64_t count = 0;
  for (const Value& item : self.AsList()) count += Equal(item, given[0], run);
  return Value::Int(count);
}

Value IndexOf(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("index", arguments, {"item"}, run);
  for (size_t i = 0; i < self.AsList().size(); ++i) {
    if (Equal(self.AsList()[i], given[0], run)) return Value::Int(static_cast<int64_t>(i));
  }
  return run->Fail("index: the item is not in the list");
}

Value Copy(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("copy", arguments, {}, run);
  return self;  // nothing changes
}

template <bool keys, bool values>
Value DictPart(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("a method of dicts", arguments, {}, run);
  std::vector<Value> items;
  for (const auto& [key, value] : self.AsDict()) {
    if (run->failed()) return {};
    items.push_back(keys && values ? run->NewList({key, value}, true) : keys ? key : value);
  }
  return run->NewList(std::move(items));
}

Value Get(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("get", arguments, {"key", "default"}, run);
  if (!given.Has(0)) return run->Fail("get needs a key");
  if (given[0].Is(Kind::kDict) || given[0].Is(Kind::kList)) {
    if (!given[0].IsTuple()) return run->Fail("get: a list or dict is no key");
  }
  if (Contains(self, given[0], run)) return ItemOf(self, given[0], run);
  return given.Has(1) ? given[1] : Value::None();
}

Value IsInteger(const Value& self, const Arguments& arguments, Run* run) {
  const Parameters given("is_integer", arguments, {}, run);
  return Value::Bool(std::floor(self.AsDouble()) == self.AsDouble());
}

// What would change a list or dict is not there, as in jinja2's immutable sandbox.
constexpr Method kDictMethods[] = {
    {"get", Get},
    {"items", DictPart<true, true>},
    {"keys", DictPart<true, false>},
    {"values", DictPart<false, true>},
    {"copy", Copy},
};

constexpr Method kListMethods[] = {{"count", CountItems}, {"index", IndexOf}, {"copy", Copy}};

constexpr Method kFloatMethods[] = {{"is_integer", IsInteger}};

std::span<const Method> MethodsOf(const Value& self) {
  if (self.Is(Kind::kString)) return StringMethods();
  if (self.Is(Kind::kDict)) return kDictMethods;
  if (self.Is(Kind::kList)) return std::span(kListMethods).first(self.IsTuple() ? 2 : 3);
  if (self.Is(Kind::kFloat)) return kFloatMethods;
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
