// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::text::tokenizer_json {

// Oniguruma's syntax, in which tokenizer.json writes its patterns, as PCRE2's (UTF, UCP, MULTILINE,
// newline LF). What the two read differently is rewritten (\s, \w, \h, \v, \b, \uHHHH, {n,m}+,
// {,n}); what has no counterpart is kUnsupported, with its place.
Result<std::string> TranslateRegex(std::string_view pattern);

}  // namespace tenon::text::tokenizer_json
