// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/result.h"

namespace tenon::apps {

// Where a server is.
struct Url {
  std::string host;
  std::string port;  // a number, as text
  std::string path;  // in front of every endpoint's; empty, or begins with / and does not end so
};

// Reads http://host[:port][/path], also without the scheme; [::1] for IPv6. A path of /v1 is what
// OpenAI's client takes as its base, and is dropped. kInvalid for what is none, kUnsupported for
// https.
Result<Url> ParseUrl(const std::string& text);

}  // namespace tenon::apps
