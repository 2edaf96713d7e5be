// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/value.h"

#include <algorithm>

#include "text/jinja/compare.h"
#include "text/utf8.h"

namespace tenon::text::jinja {

struct Value::Sequence {
  std::vector<Value> items;
  int depth = 1;
  enum class Form { kList, kTuple, kGroup } form = Form::kList;
};

struct Value::Mapping {
  std::vector<Entry> entries;
  int depth = 1;
};

namespace {

constexpr size_t kUndefinedIndex = static_cast<size_t>(Value::Kind::kUndefined);
constexpr size_t kStringIndex = static_cast<size_t>(Value::Kind::kString);

int DepthAround(const std::vector<Value>& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return deepest + 1;
}

}  // namespace

Value Value::Undefined(std::string_view name) {
  return Value(std::in_place_index<kUndefinedIndex>, std::make_shared<const std::string>(name));
}

Value Value::String(std::string value) {
  return Value(std::in_place_index<kStringIndex>,
               std::make_shared<const std::string>(std::move(value)));
}

Value Value::List(std::vector<Value> items) {
  const int depth = DepthAround(items);
  return Value(std::shared_ptr<const Sequence>(new Sequence{std::move(items), depth}));
}

Value Value::Tuple(std::vector<Value> items) {
  const int depth = DepthAround(items);
  return Value(std::shared_ptr<const Sequence>(
      new Sequence{std::move(items), depth, Sequence::Form::kTuple}));
}

Value Value::Group(Value grouper, Value list) {
  std::vector<Value> items = {std::move(grouper), std::move(list)};
  const int depth = DepthAround(items);
  return Value(std::shared_ptr<const Sequence>(
      new Sequence{std::move(items), depth, Sequence::Form::kGroup}));
}

Value Value::Dict(std::vector<Entry> entries) {
  std::vector<Entry> unique;
  int deepest = 0;
  for (Entry& entry : entries) {
    deepest = std::max({deepest, entry.first.depth(), entry.second.depth()});
    const auto same = std::find_if(unique.begin(), unique.end(),
                                   [&](const Entry& e) { return SameKey(e.first, entry.first); });
    if (same == unique.end()) {
      unique.push_back(std::move(entry));
    } else {
      same->second = std::move(entry.second);
    }
  }
  return Value(std::shared_ptr<const Mapping>(new Mapping{std::move(unique), deepest + 1}));
}

const std::string& Value::AsString() const { return *std::get<kStringIndex>(state_); }

const std::vector<Value>& Value::AsList() const {
  return std::get<std::shared_ptr<const Sequence>>(state_)->items;
}

const std::vector<Entry>& Value::AsDict() const {
  return std::get<std::shared_ptr<const Mapping>>(state_)->entries;
}

std::string_view Value::undefined_name() const {
  const auto& name = std::get<kUndefinedIndex>(state_);
  return name == nullptr ? std::string_view("value") : std::string_view(*name);
}

bool Value::IsTuple() const {
  return Is(Kind::kList) &&
         std::get<std::shared_ptr<const Sequence>>(state_)->form != Sequence::Form::kList;
}

bool Value::IsGroup() const {
  return Is(Kind::kList) &&
         std::get<std::shared_ptr<const Sequence>>(state_)->form == Sequence::Form::kGroup;
}

int Value::depth() const {
  if (Is(Kind::kList)) return std::get<std::shared_ptr<const Sequence>>(state_)->depth;
  if (Is(Kind::kDict)) return std::get<std::shared_ptr<const Mapping>>(state_)->depth;
  if (Is(Kind::kCallable)) return AsCallable().self.depth() + 1;
  return 0;
}

bool Value::Truthy() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return AsInt() != 0;
    case Kind::kFloat:
      return AsDouble() != 0;
    case Kind::kString:
      return !AsString().empty();
    case Kind::kList:
      return !AsList().empty();
    case Kind::kDict:
      return !AsDict().empty();
    default:
      return true;
  }
}

const Value* Value::Find(std::string_view key) const {
  if (Is(Kind::kDict)) {
    for (const auto& [name, value] : AsDict()) {
      if (name.Is(Kind::kString) && name.AsString() == key) return &value;
    }
  } else if (Is(Kind::kNamespace)) {
    for (const auto& [name, value] : AsNamespace().attributes) {
      if (name == key) return &value;
    }
  }
  return nullptr;
}

std::string_view Value::KindName() const {
  static constexpr std::string_view kNames[] = {
      "undefined", "none",   "a boolean",   "an integer", "a float", "a string",
      "a list",    "a dict", "a namespace", "a function", "a loop"};
  return kNames[state_.index()];
}

int64_t Value::Length() const {
  switch (kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(CountCharacters(AsString()));
    case Kind::kList:
      return static_cast<int64_t>(AsList().size());
    case Kind::kDict:
      return static_cast<int64_t>(AsDict().size());
    default:
      return -1;
  }
}

}  // namespace tenon::text::jinja
