// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/run.h"

namespace tenon::text::jinja {

Value Run::Fail(const std::string& what) {
  if (!failed_) {
    failed_ = true;
    error_ = {Status::kInvalid, "chat template, line " + std::to_string(line_) + ": " + what, {}};
  }
  return {};
}

Value Run::FailUndefined(std::string_view name, std::string_view attribute) {
  std::string what;
  what.append(1, '"').append(name).append("\" is undefined");
  if (!attribute.empty()) what.append(", so it has no \"").append(attribute).append(1, '"');
  return Fail(what);
}

bool Run::Spend(int64_t operations) {
  if (failed_) return false;
  if (operations > operations_) {
    Fail("rendering takes more than " + std::to_string(limits_.operations) + " operations");
    return false;
  }
  operations_ -= operations;
  return true;
}

bool Run::Reserve(size_t bytes) {
  static constexpr size_t kOverhead = 64;  // of a value's own allocation
  if (failed_) return false;
  if (bytes > limits_.output_bytes) {
    Fail("a value of " + std::to_string(bytes) + " bytes is too long; at most " +
         std::to_string(limits_.output_bytes) + " allowed");
    return false;
  }
  if (bytes + kOverhead > limits_.memory_bytes - reserved_) {
    Fail("rendering takes more than " + std::to_string(limits_.memory_bytes) + " bytes of memory");
    return false;
  }
  reserved_ += bytes + kOverhead;
  return true;
}

Value Run::NewString(std::string text) {
  if (!SpendBytes(text.size()) || !Reserve(text.size())) return {};
  return Value::String(std::move(text));
}

Value Run::NewList(std::vector<Value> items, bool tuple) {
  if (!Spend(static_cast<int64_t>(items.size()) + 1) || !Reserve(items.size() * sizeof(Value))) {
    return {};
  }
  Value list = tuple ? Value::Tuple(std::move(items)) : Value::List(std::move(items));
  if (list.depth() > kMaxDepth)
    return Fail("lists are nested more than " + std::to_string(kMaxDepth) + " deep");
  return list;
}

Value Run::NewDict(std::vector<Entry> entries) {
  const auto size = static_cast<int64_t>(entries.size());
  if (!Spend(size + size * size / 8 + 1) || !Reserve(entries.size() * sizeof(Entry))) return {};
  for (const Entry& entry : entries) {
    if (entry.first.Is(Value::Kind::kList) || entry.first.Is(Value::Kind::kDict)) {
      return Fail("a dict's key is " + std::string(entry.first.KindName()));
    }
  }
  Value dict = Value::Dict(std::move(entries));
  if (dict.depth() > kMaxDepth)
    return Fail("dicts are nested more than " + std::to_string(kMaxDepth) + " deep");
  return dict;
}

}  // namespace tenon::text::jinja
