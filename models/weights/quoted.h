// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::models {

// `text` from a file, fit for a message: in double quotes, control and non-ASCII bytes as \xNN,
// cut to 64 bytes with "…". Files are not trusted to have short or printable names.
std::string Quoted(std::string_view text);

}  // namespace tenon::models
