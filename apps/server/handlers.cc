// SPDX-License-Identifier: Apache-2.0
#include "apps/server/handlers.h"

#include "apps/server/answer.h"
#include "apps/server/request_peek.h"
#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

using H = Handlers;

constexpr Route kRoutes[] = {
    {"GET", "/health", &H::Health, false},
    {"GET", "/ready", &H::Ready, false},
    {"GET", "/version", &H::Version},
    {"GET", "/v1/models", &H::Models},
    {"POST", "/v1/chat/completions", &H::Chat, true, true},
    {"POST", "/v1/completions", &H::Complete, true, true},
    {"POST", "/v1/embeddings", &H::Embed, true, true},
    {"POST", "/tokenize", &H::Tokenize, true, true},
    {"POST", "/detokenize", &H::Detokenize, true, true},
};

}  // namespace

std::span<const Route> Handlers::Routes() { return kRoutes; }

void Handlers::StartCall(openai::Endpoint endpoint, To exchange) {
  parts_.work(exchange, [this, endpoint, exchange] {
    Request& request = exchange->request();
    if (Peek(request.body).streams) exchange->ExpectStream();
    const openai::Caller caller{request.id, request.tenant};
    const auto call =
        parts_.api->Start(endpoint, request.body, caller, std::make_shared<HttpAnswer>(exchange));
    request.body = {};
    if (call) exchange->OnGone([call] { call->Cancel(); });
  });
}

void Handlers::Models(To exchange) { exchange->Reply({200, parts_.api->ModelsJson()}); }

void Handlers::Health(To exchange) { exchange->Reply({200, R"({"status":"ok"})"}); }

void Handlers::Ready(To exchange) {
  const std::string why = parts_.draining() ? "draining" : parts_.fleet->WhyNotReady();
  if (why.empty()) return exchange->Reply({200, R"({"status":"ready"})"});
  openai::ApiError error = MakeError(503, "not ready: " + why, "not_ready");
  error.retry_after_s = 1;
  exchange->Reply(ErrorResponse(error));
}

void Handlers::Version(To exchange) {
  exchange->Reply({200, fmt::format(R"({{"version":"{}"}})", TENON_VERSION)});
}

}  // namespace tenon::apps::server
