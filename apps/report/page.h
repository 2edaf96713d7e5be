// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::apps {

// The beginning of an HTML page that fetches nothing, up to and with <body>; `title` is escaped.
// The page ends with kPageEnd.
std::string PageHead(std::string_view title);
inline constexpr const char* kPageEnd = "</body></html>\n";

// Writes a page; kInvalid names the path that cannot be written.
Result<void> WritePage(const std::string& path, const std::string& page);

}  // namespace tenon::apps
