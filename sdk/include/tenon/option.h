// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "tenon/types.h"

namespace tenon {

enum class OptionType : uint32_t { kBool = 0, kInt = 1, kFloat = 2, kString = 3 };

// One option of a component, described once. This table drives the YAML check, `tenon plugins
// --describe`, the generated docs and the JSON Schema; a plugin never sees YAML.
struct OptionInfo {
  const char* name;  // lower_case
  OptionType type;
  const char* default_text;  // as it would stand in YAML; must satisfy the bounds below
  const char* doc;           // one sentence
  double minimum = 0;        // kInt, kFloat: inclusive bounds; minimum == maximum means unbounded
  double maximum = 0;
  const char* choices = "";  // kString: allowed words, separated by '|'; empty means any text
  const char* unit = "";     // "tokens", "us", …
};

// An option's value, already checked against its OptionInfo.
struct OptionValue {
  OptionType type = OptionType::kInt;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  Str text;  // valid while the component is created; copy it to keep it
};

// The options of one component: values[i] belongs to infos[i].
struct Options {
  Span<const OptionInfo> infos;
  Span<const OptionValue> values;

  // REQUIRES: the component's table has an option of that name and type.
  bool Bool(const char* name) const { return Find(name).boolean; }
  int64_t Int(const char* name) const { return Find(name).integer; }
  double Float(const char* name) const { return Find(name).number; }
  Str Text(const char* name) const { return Find(name).text; }

 private:
  const OptionValue& Find(std::string_view name) const {
    for (uint64_t i = 0; i < infos.size; ++i) {
      if (name == infos[i].name) return values[i];
    }
    __builtin_trap();
  }
};

}  // namespace tenon
