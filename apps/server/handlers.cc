// SPDX-License-Identifier: Apache-2.0
#include "apps/server/handlers.h"

#include <charconv>

#include "apps/server/answer.h"
#include "apps/server/model_entry.h"
#include "apps/server/page.h"
#include "apps/server/request_peek.h"
#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

using H = Handlers;

constexpr Route kRoutes[] = {
#ifdef TENON_HAS_PAGE
    {"GET", "/", &H::Page},
#endif
    {"GET", "/health", &H::Health, false},
    {"GET", "/ready", &H::Ready, false},
    {"GET", "/version", &H::Version},
    {"GET", "/metrics", &H::MetricsText, true, false, Audience::kWatcher},
    {"GET", "/v1/models", &H::Models},
    {"GET", "/v1/models/{model}", &H::Model},
    {"POST", "/v1/chat/completions", &H::Chat, true, true},
    {"POST", "/v1/completions", &H::Complete, true, true},
    {"POST", "/v1/embeddings", &H::Embed, true, true},
    {"POST", "/tokenize", &H::Tokenize, true, true},
    {"POST", "/detokenize", &H::Detokenize, true, true},
    {"POST", "/v1/jobs", &H::StartJob, true, true},
    {"GET", "/v1/jobs/{id}", &H::PollJob},
    {"DELETE", "/v1/jobs/{id}", &H::DeleteJob},
    {"GET", "/v1/ws", &H::WebSocket, true, true, Audience::kPublic, true},
    {"POST", "/admin/reload", &H::Reload, true, true, Audience::kAdmin},
    {"GET", "/admin/compare", &H::Compare, true, false, Audience::kAdmin},
    {"POST", "/admin/compare/promote", &H::Promote, true, true, Audience::kAdmin},
    {"POST", "/admin/compare/rollback", &H::RollBack, true, true, Audience::kAdmin},
};

// A whole number in a query; `missing` where there is none; nullopt: something else is there.
std::optional<int64_t> QueryNumber(const std::string& query, std::string_view name,
                                   int64_t missing) {
  const std::string text = QueryValue(query, name);
  if (text.empty()) return missing;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Only tokenises, for what may be megabytes.
bool IsBulk(openai::Endpoint endpoint) {
  return endpoint == openai::Endpoint::kEmbeddings || endpoint == openai::Endpoint::kTokenize ||
         endpoint == openai::Endpoint::kDetokenize;
}

}  // namespace

std::span<const Route> Handlers::Routes() { return kRoutes; }

bool Handlers::IsFull(To exchange) const {
  if (parts_.api->Waiting() + queued_ < parts_.most_waiting) return false;
  openai::ApiError error = MakeError(429, "too many requests wait already", "queue_full");
  error.retry_after_s = 1;
  exchange->Reply(ErrorResponse(error));
  return true;
}

void Handlers::LogPrompt(To exchange) const {
  if (!parts_.log_prompts) return;
  parts_.log->Info("prompt", {{"id", exchange->request().id}, {"body", exchange->request().body}});
}

// Bulk never takes the last thread from those who chat.
const HandlerParts::Run& Handlers::RunOf(openai::Endpoint endpoint) const {
  return IsBulk(endpoint) ? parts_.side_work : parts_.work;
}

void Handlers::StartCall(openai::Endpoint endpoint, To exchange) {
  const bool waits =
      endpoint != openai::Endpoint::kTokenize && endpoint != openai::Endpoint::kDetokenize;
  if (waits && IsFull(exchange)) return;
  ++queued_;
  RunOf(endpoint)(exchange, [this, endpoint, exchange] {
    --queued_;
    LogPrompt(exchange);
    if (Peek(exchange->request().body).streams) exchange->ExpectStream();
    CallNow(endpoint, exchange);
  });
}

void Handlers::CallNow(openai::Endpoint endpoint, To exchange) {
  Request& request = exchange->request();
  const openai::Caller caller{request.id, request.tenant};
  std::shared_ptr<openai::ReplySink> sink = std::make_shared<HttpAnswer>(exchange);
  if (parts_.log_prompts) sink = std::make_shared<LoggedAnswer>(sink, *parts_.log, request.id);
  const auto call = parts_.api->Start(endpoint, request.body, caller, std::move(sink));
  request.body = {};
  if (call) exchange->OnGone([call] { call->Cancel(); });
}

void Handlers::WebSocket(To exchange) {
  if (IsFull(exchange)) return;
  ++queued_;
  parts_.work(exchange, [this, exchange] {
    --queued_;
    LogPrompt(exchange);
    Request& request = exchange->request();
    const RequestPeek peek = Peek(request.body);
    const auto endpoint = peek.endpoint.value_or(openai::Endpoint::kChat);
    if (IsBulk(endpoint)) {
      return parts_.side_work(exchange,
                              [this, endpoint, exchange] { CallNow(endpoint, exchange); });
    }
    request.body = AskForStream(std::move(request.body), peek);
    CallNow(endpoint, exchange);
  });
}

void Handlers::StartJob(To exchange) {
  if (IsFull(exchange)) return;
  ++queued_;
  parts_.work(exchange, [this, exchange] {
    --queued_;
    LogPrompt(exchange);
    const RequestPeek peek = Peek(exchange->request().body);
    if (!peek.endpoint) {
      openai::ApiError error =
          MakeError(400, "a JSON object with messages, prompt or input is wanted", "bad_job");
      error.param = "body";
      return exchange->Reply(ErrorResponse(error));
    }
    const auto submit = [this, endpoint = *peek.endpoint, exchange] {
      jobs_.Submit(*parts_.api, endpoint, exchange);
    };
    if (!IsBulk(*peek.endpoint)) return submit();
    parts_.side_work(exchange, submit);
  });
}

void Handlers::PollJob(To exchange) {
  const std::string& query = exchange->request().head.query;
  const auto wait = QueryNumber(query, "wait", 0);
  const auto after = QueryNumber(query, "after", 0);
  if (!wait || !after) {
    openai::ApiError error = MakeError(400, "not a whole number of at least 0");
    error.param = wait ? "after" : "wait";
    return exchange->Reply(ErrorResponse(error));
  }
  jobs_.Get(exchange, std::chrono::seconds(std::min<int64_t>(*wait, 3600)),
            static_cast<size_t>(*after));
}

void Handlers::DeleteJob(To exchange) { jobs_.Delete(exchange); }

void Handlers::Models(To exchange) { exchange->Reply({200, parts_.api->ModelsJson()}); }

void Handlers::Model(To exchange) {
  std::string entry = ModelEntry(parts_.api->ModelsJson(), exchange->request().parameter);
  if (!entry.empty()) return exchange->Reply({200, std::move(entry)});
  openai::ApiError error = MakeError(404, "there is no such model", "model_not_found");
  error.param = "model";
  exchange->Reply(ErrorResponse(error));
}

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

void Handlers::MetricsText(To exchange) {
  parts_.work(exchange, [this, exchange] {
    exchange->Reply(
        {200, parts_.metrics->Text(*parts_.fleet), "text/plain; version=0.0.4; charset=utf-8"});
  });
}

void Handlers::Reload(To exchange) {
  if (reloading_.exchange(true)) {
    return exchange->Reply(ErrorResponse(MakeError(409, "a reload is under way", "reloading")));
  }
  parts_.slow_work(exchange, [this, exchange] {
    const auto reloaded = parts_.fleet->Reload("");
    reloading_ = false;
    if (!reloaded.ok()) {
      parts_.log->Warn("reload", {{"failed", reloaded.error().message}});
      const trial::Trial* trial = parts_.fleet->trial();
      const bool tried = trial != nullptr && trial->Phase() <= trial::TrialPhase::kRunning;
      return exchange->Reply(
          ErrorResponse(MakeError(tried ? 409 : 500, reloaded.error().message,
                                  tried ? "comparison_running" : "reload_failed")));
    }
    parts_.log->Info("reload", {{"status", "done"}});
    exchange->Reply({200, R"({"status":"reloaded"})"});
  });
}

trial::Trial* Handlers::FindTrial(To exchange) const {
  trial::Trial* trial = parts_.fleet->trial();
  if (trial == nullptr) {
    exchange->Reply(ErrorResponse(
        MakeError(404, "nothing is compared here; start with tenon serve A.yaml --compare B.yaml",
                  "no_comparison")));
  }
  return trial;
}

void Handlers::Compare(To exchange) {
  parts_.work(exchange, [this, exchange] {
    const trial::Trial* trial = FindTrial(exchange);
    if (trial != nullptr) exchange->Reply({200, trial::TrialJson(trial->Report())});
  });
}

void Handlers::EndTrial(To exchange, Result<void> (trial::Trial::*end)()) {
  parts_.slow_work(exchange, [this, exchange, end] {
    trial::Trial* trial = FindTrial(exchange);
    if (trial == nullptr) return;
    const auto ended = (trial->*end)();
    if (ended.ok()) {
      return exchange->Reply(
          {200, fmt::format(R"({{"status":"{}"}})", trial::Name(trial->Phase()))});
    }
    const bool stops = ended.error().status == Status::kCancelled;
    exchange->Reply(ErrorResponse(MakeError(stops ? 503 : 409, ended.error().message,
                                            stops ? "shutting_down" : "comparison_state")));
  });
}

#ifdef TENON_HAS_PAGE
void Handlers::Page(To exchange) {
  static const std::string policy = PagePolicy(server::Page());
  Response response{200, std::string(server::Page()), "text/html; charset=utf-8"};
  response.fields = {{"Content-Security-Policy", policy}, {"Referrer-Policy", "no-referrer"}};
  exchange->Reply(std::move(response));
}
#endif

}  // namespace tenon::apps::server
