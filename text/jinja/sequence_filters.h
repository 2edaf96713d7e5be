// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "text/jinja/arguments.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

using Filter = Value (*)(const Value& input, const Arguments& arguments, Run* run);

struct NamedFilter {
  std::string_view name;
  Filter filter;
};

// The filter of this name among those that walk over items (sequence_filters.cc), that compare
// items (ordering_filters.cc), or that rewrite a text (text_filters.cc); null where there is none.
Filter FindSequenceFilter(std::string_view name);
Filter FindOrderingFilter(std::string_view name);
Filter FindTextFilter(std::string_view name);

}  // namespace tenon::text::jinja
