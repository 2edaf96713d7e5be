// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "tenon/result.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// Reads a JSON document as a template value: a request's messages or tools, keys in the order
// written. kInvalid, with the place, for what is not JSON or is nested more than kMaxDepth deep.
Result<Value> ParseJson(std::string_view text);

}  // namespace tenon::text::jinja
