// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::apps::server {

// The playground at "/": one HTML file without outside assets, part of the program.
std::string_view Page();

// The Content-Security-Policy that lets a page run its own inline scripts and styles, by their
// hashes, and talk to its own server; nothing else.
std::string PagePolicy(std::string_view page);

}  // namespace tenon::apps::server
