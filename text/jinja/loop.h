// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace tenon::text::jinja {

// What `loop` is inside a for. It outlives its for only emptied, so that it never keeps a chain of
// lists alive.
struct Loop {
  const std::vector<Value>* items = nullptr;  // null once the for has ended
  size_t index = 0;
  int depth = 1;  // of nested fors

  // index, index0, revindex, revindex0, first, last, length, depth, depth0, previtem, nextitem.
  Value Attribute(std::string_view name) const;
};

}  // namespace tenon::text::jinja
