// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apps/openai/api.h"

namespace tenon::apps::server {

// What of a request's JSON says how it wants to be carried. All else is the Api's to read.
struct RequestPeek {
  bool is_object = false;
  bool has_stream = false;
  bool streams = false;                        // "stream": true
  std::optional<openai::Endpoint> endpoint{};  // that its messages, prompt or input stand for
};

// Never fails: of what is no JSON it says nothing. Takes no stack, however deep it is.
RequestPeek Peek(std::string_view body);

// The same request with "stream": true where it says nothing of streams.
std::string AskForStream(std::string body, const RequestPeek& peek);

}  // namespace tenon::apps::server
