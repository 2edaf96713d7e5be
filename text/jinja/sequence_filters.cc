// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/sequence_filters.h"

#include <algorithm>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

Value Join(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("join", arguments, {"d", "attribute"}, run);
  const std::string between = given.Has(0) ? ToText(given[0], run) : std::string();
  const bool by_attribute = given.Has(1) && !given[1].Is(Kind::kNone);
  std::string joined;
  bool first = true;
  const Value items = ListOf(input, run);
  for (const Value& item : items.AsList()) {
    if (!first) joined += between;
    first = false;
    joined += ToText(by_attribute ? PathOf(item, given[1], run) : item, run);
    if (!run->SpendBytes(between.size())) return {};
    if (joined.size() > run->limits().output_bytes) break;
  }
  return run->NewString(std::move(joined));
}

template <bool at_end>
Value End(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given(at_end ? "last" : "first", arguments, {}, run);
  const Value items = ListOf(input, run);
  const auto& list = items.AsList();
  if (list.empty()) return Value::Undefined(at_end ? "last" : "first");
  return at_end ? list.back() : list.front();
}

Value ListFilter(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("list", arguments, {}, run);
  const Value items = ListOf(input, run);
  return items.IsTuple() ? run->NewList(items.AsList()) : items;
}

Value Reverse(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("reverse", arguments, {}, run);
  if (input.Is(Kind::kString)) {
    if (!run->Spend(static_cast<int64_t>(input.AsString().size()))) return {};
    std::string text;
    const std::vector<std::string_view> characters = Characters(input.AsString());
    for (size_t i = characters.size(); i-- > 0;) text += characters[i];
    return run->NewString(std::move(text));
  }
  const Value list = ListOf(input, run);
  if (!run->Spend(list.Length())) return {};
  return run->NewList({list.AsList().rbegin(), list.AsList().rend()});
}

Value Sum(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("sum", arguments, {"attribute", "start"}, run);
  Value sum = given.Has(1) ? given[1] : Value::Int(0);
  if (sum.Is(Kind::kString)) return run->Fail("sum: strings are joined by join");
  const Value items = ListOf(input, run);
  for (const Value& item : items.AsList()) {
    const Value part = given[0].Truthy() ? PathOf(item, given[0], run) : item;
    sum = Apply(Operation::kAdd, sum, part, run);
    if (run->failed()) return {};
  }
  return sum;
}

Value Items(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("items", arguments, {}, run);
  if (input.Is(Kind::kUndefined)) return run->NewList({});
  return input.Is(Kind::kDict) ? CallMethod(input, "items", {}, run)
                               : run->Fail("items: the input is " + std::string(input.KindName()));
}

// Lists of `count` items each; the last one is filled up where something to fill it with is given.
Value Batch(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("batch", arguments, {"linecount", "fill_with"}, run);
  const int64_t count = given.Int(0, 0);
  if (count < 1) return run->Fail("batch needs a positive count");
  const Value items = ListOf(input, run);
  const auto& list = items.AsList();
  const bool fills = given.Has(1) && !given[1].Is(Kind::kNone);
  std::vector<Value> batches;
  for (size_t at = 0; at < list.size() && !run->failed();) {
    const size_t take = std::min<uint64_t>(static_cast<uint64_t>(count), list.size() - at);
    std::vector<Value> batch(list.begin() + static_cast<int64_t>(at),
                             list.begin() + static_cast<int64_t>(at + take));
    const int64_t missing = count - static_cast<int64_t>(take);
    if (fills && missing > 0) {
      if (!run->Spend(missing)) return {};
      batch.insert(batch.end(), static_cast<size_t>(missing), given[1]);
    }
    batches.push_back(run->NewList(std::move(batch)));
    at += take;
  }
  return run->NewList(std::move(batches));
}

// `count` lists of about equal length, the longer ones first.
Value Slice(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("slice", arguments, {"slices", "fill_with"}, run);
  const int64_t count = given.Int(0, 0);
  if (count < 1) return run->Fail("slice needs a positive count");
  const Value items = ListOf(input, run);
  const auto& list = items.AsList();
  const int64_t each = items.Length() / count, longer = items.Length() % count;
  const bool fills = given.Has(1) && !given[1].Is(Kind::kNone);
  std::vector<Value> slices;
  auto at = list.begin();
  for (int64_t i = 0; i < count && !run->failed(); ++i) {
    const auto end = at + each + (i < longer ? 1 : 0);
    std::vector<Value> slice(at, end);
    if (fills && i >= longer) slice.push_back(given[1]);
    slices.push_back(run->NewList(std::move(slice)));
    at = end;
  }
  return run->NewList(std::move(slices));
}

Value MapAttribute(const Value& input, const Arguments& arguments, Run* run) {
  const Parameters given("map", arguments, {"attribute", "default"}, run);
  if (!given.Has(0)) return run->Fail("map needs a filter or an attribute");
  std::vector<Value> mapped;
  const Value items = ListOf(input, run);
  for (const Value& item : items.AsList()) {
    Value part = PathOf(item, given[0], run);
    mapped.push_back(part.Is(Kind::kUndefined) && given.Has(1) ? given[1] : std::move(part));
    if (run->failed()) return {};
  }
  return run->NewList(std::move(mapped));
}

// map("filter", arguments...) or map(attribute="path", default=...)
Value Map(const Value& input, const Arguments& arguments, Run* run) {
  if (!input.Truthy()) return run->NewList({});
  if (arguments.positional.empty()) return MapAttribute(input, arguments, run);
  const Value& name = arguments.positional[0];
  if (!name.Is(Kind::kString)) return run->Fail("map: a filter's name is needed");
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  std::vector<Value> mapped;
  const Value items = ListOf(input, run);
  if (!run->Enter()) return {};
  for (const Value& item : items.AsList()) {
    mapped.push_back(ApplyFilter(name.AsString(), item, rest, run));
    if (run->failed()) break;
  }
  run->Leave();
  return run->NewList(std::move(mapped));
}

// select(test, arguments...), reject; selectattr(path, test, arguments...), rejectattr.
template <bool by_attribute, bool wanted>
Value Pick(const Value& input, const Arguments& arguments, Run* run) {
  if (!input.Truthy()) return run->NewList({});
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
  const Value items = ListOf(input, run);
  for (const Value& item : items.AsList()) {
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
  static constexpr NamedFilter kFilters[] = {
      {"join", Join},
      {"first", End<false>},
      {"last", End<true>},
      {"list", ListFilter},
      {"reverse", Reverse},
      {"sum", Sum},
      {"items", Items},
      {"batch", Batch},
      {"slice", Slice},
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
