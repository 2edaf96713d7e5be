// SPDX-License-Identifier: Apache-2.0
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

// What all uses of PCRE2 here share: bounds on how long a pattern may try, and its messages.
namespace tenon::text {

// PCRE2's text for one of its codes.
std::string PcreMessage(int code);

// With limits on matching steps and memory; made once, never freed. Null where there is no memory.
pcre2_match_context* LimitedContext();

}  // namespace tenon::text
