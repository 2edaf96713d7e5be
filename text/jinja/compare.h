// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// Python's ==. Costs an operation for every item looked at; false once the run has failed.
bool Equal(const Value& a, const Value& b, Run* run);

// Whether two dict keys are one: scalars that are equal. Lists and dicts are never keys.
bool SameKey(const Value& a, const Value& b);

// Python's <, for numbers, strings and lists of them; fails the run for what has no order.
bool Less(const Value& a, const Value& b, Run* run);

// Python's `item in container`.
bool Contains(const Value& container, const Value& item, Run* run);

}  // namespace tenon::text::jinja
