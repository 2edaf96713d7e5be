// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

// Tests of one value alone, by what it is.
struct KindTest {
  std::string_view name;
  bool (*holds)(const Value&);
};

constexpr KindTest kKindTests[] = {
    {"defined", [](const Value& v) { return !v.Is(Kind::kUndefined); }},
    {"undefined", [](const Value& v) { return v.Is(Kind::kUndefined); }},
    {"none", [](const Value& v) { return v.Is(Kind::kNone); }},
    {"boolean", [](const Value& v) { return v.Is(Kind::kBool); }},
    {"true", [](const Value& v) { return v.Is(Kind::kBool) && v.AsBool(); }},
    {"false", [](const Value& v) { return v.Is(Kind::kBool) && !v.AsBool(); }},
    {"integer", [](const Value& v) { return v.Is(Kind::kInt); }},
    {"float", [](const Value& v) { return v.Is(Kind::kFloat); }},
    {"number", [](const Value& v) { return v.IsNumber(); }},
    {"string", [](const Value& v) { return v.Is(Kind::kString); }},
    {"mapping", [](const Value& v) { return v.Is(Kind::kDict); }},
    {"sequence", [](const Value& v) { return v.Length() >= 0; }},
    {"iterable", [](const Value& v) { return v.Length() >= 0; }},
    {"callable", [](const Value& v) { return v.Is(Kind::kCallable) || v.Is(Kind::kUndefined); }},
};

constexpr struct {
  std::string_view name;
  Operation operation;
} kComparisons[] = {
    {"eq", Operation::kEqual},        {"equalto", Operation::kEqual},
    {"==", Operation::kEqual},        {"ne", Operation::kNotEqual},
    {"!=", Operation::kNotEqual},     {"lt", Operation::kLess},
    {"lessthan", Operation::kLess},   {"<", Operation::kLess},
    {"le", Operation::kLessEqual},    {"<=", Operation::kLessEqual},
    {"gt", Operation::kGreater},      {"greaterthan", Operation::kGreater},
    {">", Operation::kGreater},       {"ge", Operation::kGreaterEqual},
    {">=", Operation::kGreaterEqual}, {"in", Operation::kIn},
};

bool Parity(const Value& value, int64_t divisor, int64_t remainder, Run* run) {
  if (value.Is(Kind::kFloat)) {
    const double rest = std::fmod(value.AsDouble(), static_cast<double>(divisor));
    return (rest < 0 ? rest + static_cast<double>(divisor) : rest) ==
           static_cast<double>(remainder);
  }
  if (!value.IsInteger()) {
    run->Fail("cannot divide " + std::string(value.KindName()));
    return false;
  }
  return ((value.AsInt() % divisor) + divisor) % divisor == remainder;
}

bool SameObject(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.Is(Kind::kList)) return &a.AsList() == &b.AsList();
  if (a.Is(Kind::kDict)) return &a.AsDict() == &b.AsDict();
  return SameKey(a, b);
}

bool OfCase(const Value& value, std::string (*map)(std::string_view),
            std::string (*other)(std::string_view), Run* run) {
  const std::string text = ToText(value, run);
  return run->SpendBytes(text.size() * 12) && map(text) == text && other(text) != text;
}

}  // namespace

bool HasTest(std::string_view name) {
  for (const KindTest& test : kKindTests) {
    if (test.name == name) return true;
  }
  for (const auto& [known, operation] : kComparisons) {
    if (known == name) return true;
  }
  for (const std::string_view other :
       {"even", "odd", "divisibleby", "sameas", "lower", "upper", "filter", "test", "escaped"}) {
    if (other == name) return true;
  }
  return false;
}

bool ApplyTest(std::string_view name, const Value& value, const Arguments& arguments, Run* run) {
  for (const KindTest& test : kKindTests) {
    if (test.name == name) return test.holds(value);
  }
  const std::string title = "test " + std::string(name);
  const Parameters given(title, arguments, {"other"}, run);
  for (const auto& [known, operation] : kComparisons) {
    if (known == name) return Apply(operation, value, given[0], run).Truthy();
  }
  if (name == "even") return Parity(value, 2, 0, run);
  if (name == "odd") return Parity(value, 2, 1, run);
  if (name == "divisibleby") {
    const int64_t divisor = given.Int(0, 0);
    if (divisor < 1 || divisor > INT32_MAX) {
      run->Fail("divisibleby needs a positive integer");
      return false;
    }
    return Parity(value, divisor, 0, run);
  }
  if (name == "sameas") return SameObject(value, given[0]);
  if (name == "lower") return OfCase(value, Lower, Upper, run);
  if (name == "upper") return OfCase(value, Upper, Lower, run);
  if (name == "escaped") return false;
  if ((name == "filter" || name == "test") && (value.Is(Kind::kList) || value.Is(Kind::kDict))) {
    run->Fail(std::string(value.KindName()) + " is no name");
    return false;
  }
  if (name == "filter") return value.Is(Kind::kString) && HasFilter(value.AsString());
  if (name == "test") return value.Is(Kind::kString) && HasTest(value.AsString());
  run->Fail("there is no test named \"" + std::string(name) + "\"");
  return false;
}

}  // namespace tenon::text::jinja
