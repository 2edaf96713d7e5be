// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/operators.h"
#include "text/jinja/sequence_filters.h"
#include "text/jinja/strings.h"

// The filters that compare items with one another.
namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

bool IsGiven(const Value& attribute) {
  return !attribute.Is(Kind::kUndefined) && !attribute.Is(Kind::kNone);
}

Value Folded(Value key, bool case_sensitive, Run* run) {
  if (case_sensitive || !key.Is(Kind::kString)) return key;
  if (!run->SpendBytes(key.AsString().size() * 4)) return {};
  return run->NewString(Lower(key.AsString()));
}

// What comparing takes of an item: its attribute, and, unless case matters, in small letters.
Value KeyOf(const Value& item, const Value& attribute, bool case_sensitive, Run* run) {
  return Folded(IsGiven(attribute) ? PathOf(item, attribute, run) : item, case_sensitive, run);
}

// The same for several attributes, "a,b.c": a list of keys.
Value KeysOf(const Value& item, const Value& attribute, bool case_sensitive, Run* run) {
  if (!attribute.Is(Kind::kString) || attribute.AsString().find(',') == std::string::npos) {
    return KeyOf(item, attribute, case_sensitive, run);
  }
  std::vector<Value> keys;
  std::string_view rest = attribute.AsString();
  while (!run->failed()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    keys.push_back(
        KeyOf(item, run->NewString(std::string(rest.substr(0, comma))), case_sensitive, run));
    if (comma == rest.size()) break;
    rest.remove_prefix(comma + 1);
  }
  return run->NewList(std::move(keys));
}

// A stable sort that goes on harmlessly when comparing fails. `descending` keeps equals in order,
// as Python does.
std::vector<Value> Sorted(const std::vector<Value>& items, const std::vector<Value>& keys,
                          bool descending, Run* run) {
  if (run->failed()) return {};
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return !run->failed() &&
           (descending ? Less(keys[b], keys[a], run) : Less(keys[a], keys[b], run));
  });
  std::vector<Value> sorted;
  for (const size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

Value Sort(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("sort", arguments, {"reverse", "case_sensitive", "attribute"}, run);
  const Value items = ListOf(input, run);
  std::vector<Value> keys;
  for (const Value& item : items.AsList()) {
    keys.push_back(KeysOf(item, given[2], given.Bool(1, false), run));
    if (run->failed()) return {};
  }
  return run->NewList(Sorted(items.AsList(), keys, given.Bool(0, false), run));
}

Value DictSort(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("dictsort", arguments, {"case_sensitive", "by", "reverse"}, run);
  if (!input.Is(Kind::kDict))
    return run->Fail("dictsort: the input is " + std::string(input.KindName()));
  const std::string_view by = given.String(1, "key");
  if (by != "key" && by != "value") return run->Fail("dictsort: by is \"key\" or \"value\"");
  const Value items = CallMethod(input, "items", {}, run);
  if (run->failed()) return {};
  std::vector<Value> keys;
  for (const Value& item : items.AsList()) {
    keys.push_back(Folded(item.AsList()[by == "value"], given.Bool(0, false), run));
  }
  return run->NewList(Sorted(items.AsList(), keys, given.Bool(2, false), run));
}

Value Unique(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("unique", arguments, {"case_sensitive", "attribute"}, run);
  const Value items = ListOf(input, run);
  std::vector<Value> kept, keys;
  for (const Value& item : items.AsList()) {
    Value key = KeyOf(item, given[1], given.Bool(0, false), run);
    if (key.Is(Kind::kDict) || (key.Is(Kind::kList) && !key.IsTuple())) {
      return run->Fail("unique: an item is " + std::string(key.KindName()));
    }
    const bool seen =
        std::any_of(keys.begin(), keys.end(), [&](const Value& k) { return Equal(k, key, run); });
    if (run->failed()) return {};
    if (seen) continue;
    keys.push_back(std::move(key));
    kept.push_back(item);
  }
  return run->NewList(std::move(kept));
}

// Lists of the items that share an attribute, each with it: [(attribute, [items])], sorted by it.
Value GroupBy(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("groupby", arguments, {"attribute", "default", "case_sensitive"}, run);
  if (!IsGiven(given[0])) return run->Fail("groupby: an attribute's name is needed");
  const bool case_sensitive = given.Bool(2, false);
  const Value items = ListOf(input, run);
  std::vector<Value> keys;
  for (const Value& item : items.AsList()) {
    Value key = PathOf(item, given[0], run);
    if (key.Is(Kind::kUndefined) && given.Has(1)) key = given[1];
    keys.push_back(Folded(std::move(key), case_sensitive, run));
    if (run->failed()) return {};
  }
  const std::vector<Value> sorted = Sorted(items.AsList(), keys, false, run);
  const std::vector<Value> order = Sorted(keys, keys, false, run);
  std::vector<Value> groups;
  for (size_t begin = 0, end = 0; begin < order.size() && !run->failed(); begin = end) {
    while (end < order.size() && Equal(order[begin], order[end], run)) ++end;
    if (run->failed()) break;
    Value grouper = PathOf(sorted[begin], given[0], run);
    if (grouper.Is(Kind::kUndefined) && given.Has(1)) grouper = given[1];
    Value list = run->NewList(
        {sorted.begin() + static_cast<int64_t>(begin), sorted.begin() + static_cast<int64_t>(end)});
    groups.push_back(Value::Group(std::move(grouper), std::move(list)));
  }
  return run->NewList(std::move(groups));
}

template <bool largest>
Value Extreme(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"}, run);
  Value best = Value::Undefined(largest ? "max" : "min"), best_key;
  bool first = true;
  const Value items = ListOf(input, run);
  for (const Value& item : items.AsList()) {
    Value key = KeyOf(item, given[1], given.Bool(0, false), run);
    const bool better = first || (largest ? Less(best_key, key, run) : Less(key, best_key, run));
    if (run->failed()) return {};
    if (better) best = item, best_key = std::move(key);
    first = false;
  }
  return best;
}

}  // namespace

Filter FindOrderingFilter(std::string_view name) {
  static constexpr NamedFilter kFilters[] = {
      {"sort", Sort},       {"dictsort", DictSort},  {"unique", Unique},
      {"groupby", GroupBy}, {"min", Extreme<false>}, {"max", Extreme<true>},
  };
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace tenon::text::jinja
