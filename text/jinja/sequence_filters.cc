// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/sequence_filters.h"

#include <algorithm>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

Value Join(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("join", arguments, {"d", "attribute"}, run);
  const std::string_view between = given.String(0, {});
  std::string joined;
  bool first = true;
  for (const Value& item : ItemsOf(input, run)) {
    if (!first) joined += between;
    first = false;
    joined += ToText(given.Has(1) ? PathOf(item, given[1], run) : item, run);
    if (!run->SpendBytes(between.size())) return {};
  }
  return run->NewString(std::move(joined));
}

Value First(const Value& input, const Arguments&, Run* run) {
  const std::vector<Value> items = ItemsOf(input, run);
  return items.empty() ? Value::Undefined("first") : items.front();
}

Value Last(const Value& input, const Arguments&, Run* run) {
  const std::vector<Value> items = ItemsOf(input, run);
  return items.empty() ? Value::Undefined("last") : items.back();
}

Value ListFilter(const Value& input, const Arguments&, Run* run) {
  return run->NewList(ItemsOf(input, run));
}

Value Reverse(const Value& input, const Arguments&, Run* run) {
  std::vector<Value> items = ItemsOf(input, run);
  std::reverse(items.begin(), items.end());
  if (!input.Is(Kind::kString)) return run->NewList(std::move(items));
  std::string text;
  for (const Value& item : items) text += item.AsString();
  return run->NewString(std::move(text));
}

// What sorting and comparing take of an item: its attribute, and, unless case matters, in small
// letters.
Value KeyOf(const Value& item, const Value& attribute, bool case_sensitive, Run* run) {
  Value key = attribute.Is(Kind::kUndefined) || attribute.Is(Kind::kNone)
                  ? item
                  : PathOf(item, attribute, run);
  if (case_sensitive || !key.Is(Kind::kString)) return key;
  return run->NewString(Lower(key.AsString()));
}

// A stable sort that goes on harmlessly when comparing fails. `descending` keeps equals in order,
// as Python does.
std::vector<Value> Sorted(const std::vector<Value>& items, std::vector<Value> keys, bool descending,
                          Run* run) {
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
  const std::vector<Value> items = ItemsOf(input, run);
  std::vector<Value> keys;
  for (const Value& item : items) keys.push_back(KeyOf(item, given[2], given.Bool(1, false), run));
  return run->NewList(Sorted(items, std::move(keys), given.Bool(0, false), run));
}

Value DictSort(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("dictsort", arguments, {"case_sensitive", "by", "reverse"}, run);
  if (!input.Is(Kind::kDict))
    return run->Fail("dictsort: the input is " + std::string(input.KindName()));
  const Value items = CallMethod(input, "items", {}, run);
  const Value place = Value::Int(given.String(1, "key") == "value" ? 1 : 0);
  std::vector<Value> keys;
  if (run->failed()) return {};
  for (const Value& item : items.AsList())
    keys.push_back(KeyOf(item, place, given.Bool(0, false), run));
  return run->NewList(Sorted(items.AsList(), std::move(keys), given.Bool(2, false), run));
}

Value Unique(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("unique", arguments, {"case_sensitive", "attribute"}, run);
  std::vector<Value> kept, keys;
  for (const Value& item : ItemsOf(input, run)) {
    Value key = KeyOf(item, given[1], given.Bool(0, false), run);
    const bool seen =
        std::any_of(keys.begin(), keys.end(), [&](const Value& k) { return Equal(k, key, run); });
    if (run->failed()) return {};
    if (seen) continue;
    keys.push_back(std::move(key));
    kept.push_back(item);
  }
  return run->NewList(std::move(kept));
}

Value Sum(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("sum", arguments, {"attribute", "start"}, run);
  Value sum = given.Has(1) ? given[1] : Value::Int(0);
  for (const Value& item : ItemsOf(input, run)) {
    const Value part = given[0].Truthy() ? PathOf(item, given[0], run) : item;
    sum = Apply(Operation::kAdd, sum, part, run);
  }
  return sum;
}

template <bool largest>
Value Extreme(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"}, run);
  Value best = Value::Undefined(largest ? "max" : "min"), best_key;
  bool first = true;
  for (const Value& item : ItemsOf(input, run)) {
    Value key = KeyOf(item, given[1], given.Bool(0, false), run);
    const bool better = first || (largest ? Less(best_key, key, run) : Less(key, best_key, run));
    if (run->failed()) return {};
    if (better) best = item, best_key = std::move(key);
    first = false;
  }
  return best;
}

Value Items(const Value& input, const Arguments&, Run* run) {
  if (input.Is(Kind::kUndefined)) return run->NewList({});
  return input.Is(Kind::kDict) ? CallMethod(input, "items", {}, run)
                               : run->Fail("items: the input is " + std::string(input.KindName()));
}

// map("filter", arguments...) or map(attribute="path", default=...)
Value Map(const Value& input, const Arguments& arguments, Run* run) {
  std::vector<Value> mapped;
  if (!arguments.positional.empty()) {
    const Value& name = arguments.positional[0];
    if (!name.Is(Kind::kString)) return run->Fail("map: a filter's name is needed");
    Arguments rest = arguments;
    rest.positional.erase(rest.positional.begin());
    for (const Value& item : ItemsOf(input, run)) {
      mapped.push_back(ApplyFilter(name.AsString(), item, rest, run));
      if (run->failed()) return {};
    }
  } else {
    const Parameters given("map", arguments, {"attribute", "default"}, run);
    for (const Value& item : ItemsOf(input, run)) {
      Value part = PathOf(item, given[0], run);
      mapped.push_back(part.Is(Kind::kUndefined) && given.Has(1) ? given[1] : std::move(part));
      if (run->failed()) return {};
    }
  }
  return run->NewList(std::move(mapped));
}

// select(test, arguments...), reject; selectattr(path, test, arguments...), rejectattr.
template <bool by_attribute, bool wanted>
Value Pick(const Value& input, const Arguments& arguments, Run* run) {
  Arguments rest = arguments;
  const auto take = [&rest] {
    Value taken = rest.positional.empty() ? Value() : rest.positional.front();
    if (!rest.positional.empty()) rest.positional.erase(rest.positional.begin());
    return taken;
  };
  const Value path = by_attribute ? take() : Value();
  if (by_attribute && path.Is(Kind::kUndefined))
    return run->Fail("selectattr: an attribute's name is needed");
  const Value test = take();
  std::vector<Value> kept;
  for (const Value& item : ItemsOf(input, run)) {
    const Value part = by_attribute ? PathOf(item, path, run) : item;
    const bool holds =
        test.Is(Kind::kString) ? ApplyTest(test.AsString(), part, rest, run) : part.Truthy();
    if (!run->Spend(1)) return {};
    if (holds == wanted) kept.push_back(item);
  }
  return run->NewList(std::move(kept));
}

}  // namespace

Filter FindSequenceFilter(std::string_view name) {
  static constexpr struct {
    std::string_view name;
    Filter filter;
  } kFilters[] = {
      {"join", Join},
      {"first", First},
      {"last", Last},
      {"list", ListFilter},
      {"reverse", Reverse},
      {"sort", Sort},
      {"dictsort", DictSort},
      {"unique", Unique},
      {"sum", Sum},
      {"min", Extreme<false>},
      {"max", Extreme<true>},
      {"items", Items},
      {"map", Map},
      {"select", Pick<false, true>},
      {"reject", Pick<false, false>},
      {"selectattr", Pick<true, true>},
      {"rejectattr", Pick<true, false>},
  };
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace tenon::text::jinja
