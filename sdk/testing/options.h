// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tenon/plugin.h"

// Values for the option table of a component.
namespace tenon::testing {

// One value an option, in the order of the table. Owns the texts that the values view.
class OptionSet {
 public:
  // The defaults, but for `overrides` by name. REQUIRES: the table is sound (see CheckOptionTable).
  explicit OptionSet(const ComponentInfo& info,
                     const std::map<std::string, std::string>& overrides = {});

  Options View() const;
  // "tile 64, kv_type f16"
  std::string Describe() const;

 private:
  const ComponentInfo& info_;
  std::vector<std::string> texts_;
  std::vector<OptionValue> values_;
};

// What is wrong with the component's option table; "" where nothing is.
std::string CheckOptionTable(const ComponentInfo& info);

// Values within the ranges and choices, their ends included; text of any kind where any is allowed.
std::map<std::string, std::string> RandomOptions(const ComponentInfo& info,
                                                 std::mt19937_64& random);

// The words that a text option allows; empty: any.
std::vector<std::string> ChoicesOf(const OptionInfo& option);

// The option of that name, or null.
const OptionInfo* FindOption(const ComponentInfo& info, const char* name);

// Whether `text` is a value of the option; fills `out`, whose text views `text`.
bool ReadValue(const OptionInfo& option, const std::string& text, OptionValue* out);

}  // namespace tenon::testing
