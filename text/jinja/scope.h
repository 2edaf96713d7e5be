// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace tenon::text::jinja {

// One level of names. A macro keeps the scope it was defined in, so that scopes and values may hold
// one another in rings; the rendering that made them takes those apart at its end.
struct Scope {
  std::shared_ptr<Scope> parent;  // null: the caller's variables
  // Names are views of the template's source or of the caller's variables.
  std::vector<std::pair<std::string_view, Value>> variables;
  bool captured = false;  // a macro holds it, or a scope below it
};

}  // namespace tenon::text::jinja
