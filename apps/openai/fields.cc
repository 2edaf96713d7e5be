// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/fields.h"

#include <cmath>

#include "fmt/format.h"

namespace tenon::apps::openai {

Fields::Fields(const JsonValue::Object& object, std::string within)
    : object_(object), within_(std::move(within)), asked_(object.size()) {}

const JsonValue* Fields::Any(std::string_view name) {
  for (size_t i = 0; i < object_.size(); ++i) {
    if (object_[i].first != name) continue;
    asked_[i] = true;
    return object_[i].second.IsNull() ? nullptr : &object_[i].second;
  }
  return nullptr;
}

std::optional<bool> Fields::Flag(std::string_view name) {
  const JsonValue* value = Any(name);
  if (value == nullptr) return std::nullopt;
  if (const bool* flag = value->AsBool()) return *flag;
  RefuseKind(name, *value, "true or false");
  return std::nullopt;
}

std::optional<int64_t> Fields::Integer(std::string_view name, int64_t low, int64_t high) {
  const JsonValue* value = Any(name);
  if (value == nullptr) return std::nullopt;
  std::optional<int64_t> number;
  if (const int64_t* whole = value->AsInt()) number = *whole;
  // Clients in JavaScript and Python write 5.0 for 5.
  if (const double* real = value->AsDouble();
      real != nullptr && std::trunc(*real) == *real && std::fabs(*real) < 0x1p53) {
    number = static_cast<int64_t>(*real);
  }
  if (number && *number >= low && *number <= high) return number;
  RefuseKind(name, *value, fmt::format("a whole number from {} to {}", low, high));
  return std::nullopt;
}

std::optional<double> Fields::Number(std::string_view name, double low, double high) {
  const JsonValue* value = Any(name);
  if (value == nullptr) return std::nullopt;
  double number = NAN;
  if (const int64_t* whole = value->AsInt()) number = static_cast<double>(*whole);
  if (const double* real = value->AsDouble()) number = *real;
  if (number >= low && number <= high) return number;
  RefuseKind(name, *value, fmt::format("a number from {} to {}", low, high));
  return std::nullopt;
}

const std::string* Fields::Text(std::string_view name) {
  const JsonValue* value = Any(name);
  if (value == nullptr) return nullptr;
  if (value->AsString() == nullptr) RefuseKind(name, *value, "a string");
  return value->AsString();
}

const JsonValue::Array* Fields::Array(std::string_view name) {
  const JsonValue* value = Any(name);
  if (value == nullptr) return nullptr;
  if (value->AsArray() == nullptr) RefuseKind(name, *value, "an array");
  return value->AsArray();
}

const JsonValue::Object* Fields::Object(std::string_view name) {
  const JsonValue* value = Any(name);
  if (value == nullptr) return nullptr;
  if (value->AsObject() == nullptr) RefuseKind(name, *value, "an object");
  return value->AsObject();
}

void Fields::Refuse(std::string_view name, const std::string& message, std::string code) {
  if (error_) return;
  error_.emplace();
  error_->param = within_ + std::string(name);
  error_->message = message;
  error_->code = std::move(code);
}

void Fields::RefuseKind(std::string_view name, const JsonValue& seen, const std::string& wanted) {
  Refuse(name, fmt::format("{}{} is {}; {} wanted", within_, name, seen.Kind(), wanted));
}

void Fields::ForUnknown(const std::function<void(std::string_view)>& hear) const {
  for (size_t i = 0; i < object_.size(); ++i) {
    if (!asked_[i]) hear(object_[i].first);
  }
}

}  // namespace tenon::apps::openai
