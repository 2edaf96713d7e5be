// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/openai/json_value.h"

namespace tenon::apps::openai {

// The members of a request's object, asked for by name. What is absent or null is not there; what
// has the wrong kind or is out of range sets error(), of which the first stays. One thread.
class Fields {
 public:
  // `object` outlives it. `within` stands before names in params: "stream_options.".
  explicit Fields(const JsonValue::Object& object, std::string within = {});

  std::optional<bool> Flag(std::string_view name);
  std::optional<int64_t> Integer(std::string_view name, int64_t low, int64_t high);
  std::optional<double> Number(std::string_view name, double low, double high);
  const std::string* Text(std::string_view name);
  const JsonValue::Array* Array(std::string_view name);
  const JsonValue::Object* Object(std::string_view name);
  const JsonValue* Any(std::string_view name);  // of whatever kind; null where absent or null

  // The first error of all: `param` is `within` + name.
  void Refuse(std::string_view name, const std::string& message, std::string code = {});
  // The same where a value is not what was wanted: "NAME is …; WANTED wanted".
  void RefuseKind(std::string_view name, const JsonValue& seen, const std::string& wanted);
  bool ok() const { return !error_; }
  const ApiError& error() const { return *error_; }

  // Calls `hear` with each name that nobody asked for.
  void ForUnknown(const std::function<void(std::string_view)>& hear) const;

 private:
  const JsonValue::Object& object_;
  std::string within_;
  std::vector<bool> asked_;
  std::optional<ApiError> error_;
};

}  // namespace tenon::apps::openai
