// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/arguments.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

struct Method {
  std::string_view name;
  Value (*call)(const Value& self, const Arguments& arguments, Run* run);
};

// Python's methods of str, as far as templates use them.
std::span<const Method> StringMethods();

}  // namespace tenon::text::jinja
