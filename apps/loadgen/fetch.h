// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "apps/loadgen/url.h"
#include "tenon/result.h"

namespace tenon::apps {

// A server, and who asks.
struct LoadTarget {
  Url url;
  std::string api_key;  // sent as Bearer; empty: none
};

struct Answer {
  int status = 0;  // of HTTP
  std::string body;
};

// One request on a connection of its own; blocks for at most `seconds`. `body` empty: GET, else
// POST of JSON. kIo where no answer came.
Result<Answer> Fetch(const LoadTarget& target, const std::string& path, const std::string& body,
                     double seconds);

}  // namespace tenon::apps
