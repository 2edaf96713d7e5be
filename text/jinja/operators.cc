// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

// The byte at which character `index` starts. REQUIRES: 0 <= index <= characters in the text
size_t OffsetOf(std::string_view text, int64_t index) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<uint8_t>(text[at]) & 0xC0) != 0x80 && index-- == 0) break;
  }
  return at;
}

Value CannotApply(std::string_view sign, const Value& left, const Value& right, Run* run) {
  for (const Value* side : {&left, &right}) {
    if (side->Is(Kind::kUndefined)) {
      return run->FailUndefined(side->undefined_name());
    }
  }
  return run->Fail("cannot compute " + std::string(left.KindName()) + " " + std::string(sign) +
                   " " + std::string(right.KindName()));
}

Value Overflow(Run* run) { return run->Fail("an integer is too large"); }

// Quotient and remainder that round towards minus infinity.
int64_t FloorQuotient(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

double FloorRemainder(double a, double b) {
  const double remainder = std::fmod(a, b);
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

Value IntegerPower(int64_t base, int64_t exponent, Run* run) {
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return Overflow(run);
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return Overflow(run);
  }
  return Value::Int(result);
}

Value FloatArithmetic(Operation operation, double a, double b, Run* run);

Value IntegerArithmetic(Operation operation, int64_t a, int64_t b, Run* run) {
  int64_t result = 0;
  switch (operation) {
    case Operation::kAdd:
      return __builtin_add_overflow(a, b, &result) ? Overflow(run) : Value::Int(result);
    case Operation::kSubtract:
      return __builtin_sub_overflow(a, b, &result) ? Overflow(run) : Value::Int(result);
    case Operation::kMultiply:
      return __builtin_mul_overflow(a, b, &result) ? Overflow(run) : Value::Int(result);
    case Operation::kPower:
      if (b < 0) {
        return FloatArithmetic(operation, static_cast<double>(a), static_cast<double>(b), run);
      }
      return IntegerPower(a, b, run);
    default:
      break;
  }
  if (b == 0) return run->Fail("division by zero");
  if (operation == Operation::kDivide) {
    return Value::Float(static_cast<double>(a) / static_cast<double>(b));
  }
  if (b == -1) {  // the one quotient that may not fit
    if (operation == Operation::kModulo) return Value::Int(0);
    return __builtin_sub_overflow(int64_t{0}, a, &result) ? Overflow(run) : Value::Int(result);
  }
  const int64_t quotient = FloorQuotient(a, b);
  return Value::Int(operation == Operation::kFloorDivide ? quotient : a - quotient * b);
}

Value FloatArithmetic(Operation operation, double a, double b, Run* run) {
  switch (operation) {
    case Operation::kAdd:
      return Value::Float(a + b);
    case Operation::kSubtract:
      return Value::Float(a - b);
    case Operation::kMultiply:
      return Value::Float(a * b);
    case Operation::kPower:
      if (a == 0 && b < 0) return run->Fail("0 to a negative power");
      if (a < 0 && std::isfinite(b) && std::floor(b) != b) {
        return run->Fail("a negative number to a fraction's power");
      }
      return Value::Float(std::pow(a, b));
    default:
      break;
  }
  if (b == 0) return run->Fail("division by zero");
  if (operation == Operation::kDivide) return Value::Float(a / b);
  if (operation == Operation::kModulo) return Value::Float(FloorRemainder(a, b));
  return Value::Float(std::floor(a / b));
}

Value Repeat(const Value& value, int64_t times, Run* run) {
  times = std::max<int64_t>(times, 0);
  const auto size = static_cast<int64_t>(value.Is(Kind::kString) ? value.AsString().size()
                                                                 : value.AsList().size());
  int64_t total = 0;
  const auto unit = static_cast<int64_t>(value.Is(Kind::kString) ? 1 : sizeof(Value));
  if (__builtin_mul_overflow(size, times, &total) ||
      total > static_cast<int64_t>(run->limits().output_bytes) / unit) {
    return run->Fail("a repetition is too long");
  }
  if (value.Is(Kind::kString)) {
    if (!run->SpendBytes(static_cast<size_t>(total))) return {};
    std::string text;
    text.reserve(static_cast<size_t>(total));
    for (int64_t i = 0; i < times && size > 0; ++i) text += value.AsString();
    return run->NewString(std::move(text));
  }
  if (!run->Spend(total)) return {};
  std::vector<Value> items;
  for (int64_t i = 0; i < times && size > 0; ++i) {
    items.insert(items.end(), value.AsList().begin(), value.AsList().end());
  }
  return run->NewList(std::move(items), value.IsTuple());
}

// Paid for before it is made.
Value Joined(std::string_view left, std::string_view right, Run* run) {
  if (!run->SpendBytes(left.size() + right.size()) || !run->Reserve(left.size() + right.size())) {
    return {};
  }
  std::string text;
  text.reserve(left.size() + right.size());
  return Value::String(std::move(text.append(left).append(right)));
}

Value Add(const Value& left, const Value& right, Run* run) {
  if (left.Is(Kind::kString) && right.Is(Kind::kString)) {
    return Joined(left.AsString(), right.AsString(), run);
  }
  if (left.Is(Kind::kList) && right.Is(Kind::kList) && left.IsTuple() == right.IsTuple()) {
    if (!run->Spend(left.Length() + right.Length())) return {};
    std::vector<Value> items = left.AsList();
    items.insert(items.end(), right.AsList().begin(), right.AsList().end());
    return run->NewList(std::move(items), left.IsTuple());
  }
  return CannotApply("+", left, right, run);
}

Value Arithmetic(Operation operation, const Value& left, const Value& right, Run* run) {
  if (left.IsInteger() && right.IsInteger()) {
    return IntegerArithmetic(operation, left.AsInt(), right.AsInt(), run);
  }
  if (left.IsNumber() && right.IsNumber()) {
    return FloatArithmetic(operation, left.AsDouble(), right.AsDouble(), run);
  }
  const auto repeats = [](const Value& value) {
    return value.Is(Kind::kString) || value.Is(Kind::kList);
  };
  switch (operation) {
    case Operation::kAdd:
      return Add(left, right, run);
    case Operation::kMultiply:
      if (repeats(left) && right.IsInteger()) return Repeat(left, right.AsInt(), run);
      if (left.IsInteger() && repeats(right)) return Repeat(right, left.AsInt(), run);
      return CannotApply("*", left, right, run);
    case Operation::kSubtract:
      return CannotApply("-", left, right, run);
    case Operation::kDivide:
      return CannotApply("/", left, right, run);
    case Operation::kFloorDivide:
      return CannotApply("//", left, right, run);
    case Operation::kModulo:
      return left.Is(Kind::kString) ? FormatPercent(left.AsString(), right, run)
                                    : CannotApply("%", left, right, run);
    default:
      return CannotApply("**", left, right, run);
  }
}

// A slice's bounds in a sequence of `size`, as Python's slice.indices.
struct Range {
  int64_t first, last, stride;
};

bool SliceRange(const Value& first, const Value& last, const Value& stride, int64_t size, Run* run,
                Range* range) {
  for (const Value* part : {&first, &last, &stride}) {
    if (!part->IsInteger() && !part->Is(Kind::kUndefined) && !part->Is(Kind::kNone)) {
      run->Fail("a slice's bound is " + std::string(part->KindName()));
      return false;
    }
  }
  range->stride = stride.IsInteger() ? stride.AsInt() : 1;
  if (range->stride == 0) {
    run->Fail("a slice's stride is 0");
    return false;
  }
  range->stride = std::clamp(range->stride, -size - 1, size + 1);
  const bool back = range->stride < 0;
  const auto bound = [&](const Value& value, int64_t otherwise) {
    if (!value.IsInteger()) return otherwise;
    const int64_t lowest = back ? -1 : 0, highest = back ? size - 1 : size;
    const int64_t at = std::clamp(value.AsInt(), -size - 1, size);
    return std::clamp(at < 0 ? at + size : at, lowest, highest);
  };
  range->first = bound(first, back ? size - 1 : 0);
  range->last = bound(last, back ? -1 : size);
  return true;
}

template <typename Take>
void Walk(const Range& range, Take take) {
  for (int64_t i = range.first; range.stride > 0 ? i < range.last : i > range.last;
       i += range.stride) {
    take(static_cast<size_t>(i));
  }
}

}  // namespace

Value Apply(Operation operation, const Value& left, const Value& right, Run* run) {
  switch (operation) {
    case Operation::kEqual:
      return Value::Bool(Equal(left, right, run));
    case Operation::kNotEqual:
      return Value::Bool(!Equal(left, right, run));
    case Operation::kLess:
      return Value::Bool(Less(left, right, run));
    case Operation::kLessEqual:
      return Value::Bool(!Less(right, left, run));
    case Operation::kGreater:
      return Value::Bool(Less(right, left, run));
    case Operation::kGreaterEqual:
      return Value::Bool(!Less(left, right, run));
    case Operation::kIn:
      return Value::Bool(Contains(right, left, run));
    case Operation::kNotIn:
      return Value::Bool(!Contains(right, left, run));
    case Operation::kConcatenate:
      return Joined(ToText(left, run), ToText(right, run), run);
    default:
      return Arithmetic(operation, left, right, run);
  }
}

Value Negate(const Value& value, bool negative, Run* run) {
  if (value.Is(Kind::kFloat)) return Value::Float(negative ? -value.AsDouble() : value.AsDouble());
  if (!value.IsInteger()) return CannotApply(negative ? "-" : "+", Value::Int(0), value, run);
  return negative ? IntegerArithmetic(Operation::kSubtract, 0, value.AsInt(), run)
                  : Value::Int(value.AsInt());
}

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  characters.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = DecodeUtf8(text, at).bytes;
    characters.push_back(text.substr(at, bytes));
    at += bytes;
  }
  return characters;
}

Value ItemOf(const Value& value, const Value& item, Run* run) {
  if (value.Is(Kind::kUndefined)) {
    return run->FailUndefined(value.undefined_name());
  }
  if (value.Is(Kind::kDict)) {
    if (!run->Spend(static_cast<int64_t>(value.AsDict().size()) / 8 + 1)) return {};
    for (const auto& [key, entry] : value.AsDict()) {
      if (SameKey(key, item)) return entry;
    }
  } else if (item.Is(Kind::kString)) {
    if (const Value* found = value.Find(item.AsString())) return *found;
  } else if (item.IsInteger() && value.Length() >= 0 &&
             run->SpendBytes(value.Is(Kind::kString) ? value.AsString().size() : 0)) {
    const int64_t size = value.Length();
    const int64_t at = item.AsInt() < 0 ? item.AsInt() + size : item.AsInt();
    if (at < 0 || at >= size) return Value::Undefined("item " + std::to_string(item.AsInt()));
    if (value.Is(Kind::kList)) return value.AsList()[static_cast<size_t>(at)];
    const std::string_view text = value.AsString();
    const size_t begin = OffsetOf(text, at);
    return run->NewString(std::string(text.substr(begin, OffsetOf(text.substr(begin), 1))));
  }
  if (!item.Is(Kind::kString)) return Value::Undefined("item");
  // As in Jinja, what is no entry may be an attribute.
  const std::string& name = item.AsString();
  const bool attribute = value.Is(Kind::kLoop) || value.Is(Kind::kNamespace) || value.IsGroup() ||
                         HasMethod(value, name);
  return attribute ? AttributeOf(value, name, run) : Value::Undefined(name.substr(0, 64));
}

Value SliceOf(const Value& value, const Value& first, const Value& last, const Value& stride,
              Run* run) {
  Range range;
  if (value.Is(Kind::kList)) {
    const auto& list = value.AsList();
    if (!SliceRange(first, last, stride, static_cast<int64_t>(list.size()), run, &range)) return {};
    std::vector<Value> items;
    Walk(range, [&](size_t i) { items.push_back(list[i]); });
    return run->NewList(std::move(items), value.IsTuple());
  }
  if (!value.Is(Kind::kString)) {
    return run->Fail("cannot slice " + std::string(value.KindName()));
  }
  const std::string& text = value.AsString();
  if (!run->SpendBytes(text.size())) return {};
  const int64_t size = value.Length();
  if (!SliceRange(first, last, stride, size, run, &range)) return {};
  if (range.stride == 1) {
    const size_t begin = OffsetOf(text, range.first);
    const int64_t length = std::max<int64_t>(range.last - range.first, 0);
    return run->NewString(
        text.substr(begin, OffsetOf(std::string_view(text).substr(begin), length)));
  }
  if (!run->Spend(size)) return {};
  const std::vector<std::string_view> characters = Characters(text);
  std::string sliced;
  Walk(range, [&](size_t i) { sliced += characters[i]; });
  return run->NewString(std::move(sliced));
}

Value ListOf(const Value& value, Run* run) {
  static const Value kNone = Value::List({});
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::kUndefined:
      return kNone;
    case Kind::kList:
      return value;
    case Kind::kDict:
      for (const Entry& entry : value.AsDict()) items.push_back(entry.first);
      break;
    case Kind::kString:
      // Reserved before it is made: each character is a string of its own.
      if (!run->Spend(value.Length()) || !run->Reserve(value.AsString().size())) return kNone;
      for (const std::string_view c : Characters(value.AsString())) {
        items.push_back(run->NewString(std::string(c)));
        if (run->failed()) return kNone;
      }
      break;
    default:
      run->Fail("cannot walk over " + std::string(value.KindName()));
      return kNone;
  }
  Value list = run->NewList(std::move(items));
  return run->failed() ? kNone : list;
}

}  // namespace tenon::text::jinja
