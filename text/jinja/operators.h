// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

// Python's operators on template values. What cannot be done fails the run and gives undefined.
namespace tenon::text::jinja {

// Arithmetic, ~, and comparisons; kOr and kAnd are the interpreter's, which leaves the right side
// unevaluated.
Value Apply(Operation operation, const Value& left, const Value& right, Run* run);

Value Negate(const Value& value, bool negative, Run* run);

// value[item]: undefined where there is no such item.
Value ItemOf(const Value& value, const Value& item, Run* run);

// value[first:last:stride]; undefined parts are Python's defaults.
Value SliceOf(const Value& value, const Value& first, const Value& last, const Value& stride,
              Run* run);

// The items that `for` walks over, as a list: a list itself, the keys of a dict, the characters of
// a string; none of undefined. An empty list where the run fails.
Value ListOf(const Value& value, Run* run);

// The characters of a text, each as UTF-8.
std::vector<std::string_view> Characters(std::string_view text);

}  // namespace tenon::text::jinja
