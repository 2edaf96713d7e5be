// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/openai/api.h"
#include "apps/server/http_head.h"

// One request and the way back to who sent it, apart from sockets.
namespace tenon::apps::server {

struct Request {
  RequestHead head;
  std::string body;
  std::string id;         // of x-request-id where that is well formed, else made here
  std::string tenant;     // derived from the API key; empty: no keys are in use
  std::string parameter;  // what the route's {…} stands for
};

struct Response {
  int status = 200;
  std::string body;
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> fields{};  // more headers
};

// An error as a response, with Retry-After where it has one.
Response ErrorResponse(const openai::ApiError& error);

// The error that a status stands for, in OpenAI's words.
openai::ApiError MakeError(int status, std::string message, std::string code = "");

// Either Reply once, or Begin, Send …, Finish. Thread: any, one call at a time. What comes after
// the end, or when the client is gone, is dropped.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual Request& request() = 0;

  virtual void Reply(Response response) = 0;

  virtual void Begin() = 0;                      // of a stream of server-sent events
  virtual void Send(std::string_view data) = 0;  // one event; several may share a write
  virtual void Finish() = 0;

  // That this will be a stream: keeps a silent connection alive also before Begin.
  virtual void ExpectStream() = 0;

  // `gone` is called once when the client left, or does not read, before the end; at once where it
  // is so already. Dropped at the end.
  virtual void OnGone(std::function<void()> gone) = 0;
};

}  // namespace tenon::apps::server
