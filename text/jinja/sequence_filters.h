// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "text/jinja/arguments.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

using Filter = Value (*)(const Value& input, const Arguments& arguments, Run* run);

// The filter of this name among those that walk over items; null where there is none.
Filter FindSequenceFilter(std::string_view name);

}  // namespace tenon::text::jinja
