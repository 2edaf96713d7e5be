// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// What a filter, test, method, function or macro was called with.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
  Value more_named;  // the dict that names may be views of
};

// Arguments by their parameters' names, in order. Too many, or one of another name, fails the run.
class Parameters {
 public:
  static constexpr size_t kMost = 6;

  // REQUIRES: at most kMost names. `arguments` must outlive this.
  Parameters(std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> names, Run* run);

  bool Has(size_t i) const { return values_[i] != nullptr; }
  // The value, or undefined where it was not given.
  const Value& operator[](size_t i) const;
  // Where given, it must be of the type asked for; else the run fails.
  int64_t Int(size_t i, int64_t otherwise) const;
  std::string_view String(size_t i, std::string_view otherwise) const;
  bool Bool(size_t i, bool otherwise) const { return Has(i) ? values_[i]->Truthy() : otherwise; }

 private:
  void Wrong(size_t i, std::string_view wanted) const;

  std::string_view function_;
  Run* run_;
  std::array<const Value*, kMost> values_ = {};
};

}  // namespace tenon::text::jinja
