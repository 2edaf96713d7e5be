// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

// Renders a parsed template. Nothing is shared between calls: any thread may render the same
// template. The error of a failed rendering names the line; the budget is `limits`.
Result<std::string> Render(const Body& body, const Variables& variables, const Limits& limits);

}  // namespace tenon::text::jinja
