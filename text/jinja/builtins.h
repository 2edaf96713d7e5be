// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "text/jinja/arguments.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

// What templates find ready made, as in jinja2 3.1 and Python. What cannot be done fails the run.
namespace tenon::text::jinja {

// input|name(arguments)
Value ApplyFilter(std::string_view name, const Value& input, const Arguments& arguments, Run* run);

bool HasFilter(std::string_view name);
bool HasTest(std::string_view name);

// `value is name(arguments)`
bool ApplyTest(std::string_view name, const Value& value, const Arguments& arguments, Run* run);

// self.name(arguments), for strings, lists and dicts.
Value CallMethod(const Value& self, std::string_view name, const Arguments& arguments, Run* run);
bool HasMethod(const Value& self, std::string_view name);

// value.name, or the part of a path "a.b.0" that filters take: undefined where there is none.
Value AttributeOf(const Value& value, std::string_view name, Run* run);
Value PathOf(const Value& value, const Value& path, Run* run);

}  // namespace tenon::text::jinja
