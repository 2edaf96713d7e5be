// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/local_time.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// What differs from jinja2 3.1.6 as transformers sets it up (ImmutableSandboxedEnvironment with
// trim_blocks, lstrip_blocks, loop controls, its own tojson, raise_exception, strftime_now and
// {% generation %}), on purpose:
// - Integers have 64 bits: beyond, an error; JSON's larger ones become floats. No complex numbers.
// - {% do %} is there without being asked for. include, import, extends and block are refused.
// - Lists stand for ranges, dict views and what map, select and the like give: they can be walked
//   over twice and indexed, and print as lists. A for's own `if` sees all items before the first
//   turn. Tuples are no keys of dicts.
// - escape gives a plain text, not one that escapes what is added to it; safe does nothing.
//   striptags knows the references that HTML itself needs, and numbers.
// - Letters have case in ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic; isdigit and the like
//   know ASCII's digits.
// - Functions, namespaces and loops print as <a function> and so on; functions have no attributes.
// - Filters and tests are looked up when used; names are ASCII. Not there: filesizeformat, pprint,
//   random, urlize, wordwrap, xmlattr, lipsum, autoescape, trans, str.encode, str.translate.
// - Source and evaluation nest at most kMaxDepth and about 100 macro calls deep; all of a rendering
//   is paid for from `limits`.

using Variables = std::vector<std::pair<std::string, Value>>;

// Renders a parsed template. Nothing is shared between calls: any thread may render the same
// template. The error of a failed rendering names the line; the budget is `limits`.
// `now` is what strftime_now tells. Where asked, says how many operations were used.
Result<std::string> Render(const Body& body, const Variables& variables, const Limits& limits,
                           const LocalTime& now = {}, int64_t* operations_used = nullptr);

}  // namespace tenon::text::jinja
