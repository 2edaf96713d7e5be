// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "text/jinja/value.h"

namespace tenon::text::jinja {

// What `loop` is inside a for. It outlives its for only emptied, so that it never keeps a chain of
// lists alive.
struct Loop {
  bool ended = false;
  Value items;  // a list
  size_t index = 0;
  int depth = 1;                         // of calls of a recursive for
  const Statement* recursive = nullptr;  // the for that loop(...) runs once more
  std::shared_ptr<Scope> around;         // of a recursive for
  Value last_seen;                       // by changed(...); undefined before

  // index, index0, revindex, revindex0, first, last, length, depth, depth0, previtem, nextitem.
  Value Attribute(std::string_view name) const;

  void End() {
    ended = true;
    items = {};
    around = nullptr;
    last_seen = {};
  }
};

}  // namespace tenon::text::jinja
