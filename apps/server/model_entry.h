// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::apps::server {

// Of GET /v1/models' text, the entry of one model, as JSON; empty: there is none of that id.
std::string ModelEntry(std::string_view models_json, std::string_view id);

}  // namespace tenon::apps::server
