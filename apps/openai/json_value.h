// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "apps/openai/api.h"

namespace tenon::apps::openai {

// A JSON document as a client wrote it: members in their order, no key twice.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;

  // What 64 bits with a sign do not hold is a double. 16 bytes, since a body may hold millions.
  std::variant<std::monostate, bool, int64_t, double, std::unique_ptr<std::string>,
               std::unique_ptr<Array>, std::unique_ptr<Object>>
      value;

  bool IsNull() const { return value.index() == 0; }
  const bool* AsBool() const { return std::get_if<bool>(&value); }
  const int64_t* AsInt() const { return std::get_if<int64_t>(&value); }
  const double* AsDouble() const { return std::get_if<double>(&value); }
  const std::string* AsString() const { return Held<std::string>(); }
  const Array* AsArray() const { return Held<Array>(); }
  const Object* AsObject() const { return Held<Object>(); }

  // A member of an object; null where there is none, or this is no object.
  const JsonValue* Find(std::string_view key) const;

  // For messages: "a string", "an array of 3".
  std::string Kind() const;

 private:
  template <typename T>
  const T* Held() const {
    const auto* held = std::get_if<std::unique_ptr<T>>(&value);
    return held == nullptr ? nullptr : held->get();
  }
};

// Reads a request's body. On failure fills `error` (its param is the outermost key at hand, "body"
// outside of all) and returns false: not JSON, not UTF-8, nested more than `depth` deep, a number
// that no double holds, a key given twice. Memory in proportion to the text.
bool ParseBody(std::string_view text, int32_t depth, JsonValue* out, ApiError* error);

// Writes it as ParseBody reads it.
void AppendJson(const JsonValue& json, std::string* out);

}  // namespace tenon::apps::openai
