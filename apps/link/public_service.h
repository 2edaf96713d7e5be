// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/openai/api.h"

namespace tenon::apps::link {

struct PublicServiceOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: one that is free
  // The tenant of an API key ("" where the client sent none); none: refused. From any thread.
  std::function<std::optional<std::string>(std::string_view key)> tenant_of;
  std::function<std::string()> new_request_id;  // from any thread
  size_t max_body_bytes = size_t{4} << 20;
};

// public.proto's service on top of the API. A client that goes away cancels its request; one that
// leaves 1 MiB unread is cut off.
class PublicService {
 public:
  virtual ~PublicService() = default;

  // Listens at once; kIo says why it cannot. The API outlives it.
  static Result<std::unique_ptr<PublicService>> Listen(openai::Api& api,
                                                       PublicServiceOptions options);

  virtual int Port() const = 0;

  // Takes no new requests, lets the others finish for at most `seconds`, and ends.
  virtual void Stop(double seconds) = 0;
};

}  // namespace tenon::apps::link
