// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/arguments.h"

#include <algorithm>

namespace tenon::text::jinja {

Parameters::Parameters(std::string_view function, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, Run* run)
    : function_(function), run_(run) {
  if (arguments.positional.size() > names.size()) {
    run->Fail(std::string(function) + " takes at most " + std::to_string(names.size()) +
              " arguments, not " + std::to_string(arguments.positional.size()));
    return;
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      run->Fail(std::string(function) + " has no argument \"" + std::string(name) + "\"");
      return;
    }
    values_[static_cast<size_t>(at - names.begin())] = &value;
  }
}

const Value& Parameters::operator[](size_t i) const {
  static const Value kUndefined;
  return Has(i) ? *values_[i] : kUndefined;
}

int64_t Parameters::Int(size_t i, int64_t otherwise) const {
  if (!Has(i) || values_[i]->Is(Value::Kind::kNone)) return otherwise;
  if (values_[i]->IsInteger()) return values_[i]->AsInt();
  Wrong(i, "an integer");
  return otherwise;
}

std::string_view Parameters::String(size_t i, std::string_view otherwise) const {
  if (!Has(i) || values_[i]->Is(Value::Kind::kNone)) return otherwise;
  if (values_[i]->Is(Value::Kind::kString)) return values_[i]->AsString();
  Wrong(i, "a string");
  return otherwise;
}

void Parameters::Wrong(size_t i, std::string_view wanted) const {
  run_->Fail(std::string(function_) + ": argument " + std::to_string(i + 1) + " is " +
             std::string(values_[i]->KindName()) + ", not " + std::string(wanted));
}

}  // namespace tenon::text::jinja
