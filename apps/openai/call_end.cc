// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/call_end.h"

#include <utility>

#include "apps/openai/json_text.h"

namespace tenon::apps::openai {

std::string ApiError::Json() const {
  const auto append_or_null = [](const std::string& text, std::string* out) {
    if (text.empty()) {
      *out += "null";
    } else {
      AppendQuoted(text, out);
    }
  };
  std::string out = "{\"error\":{\"message\":";
  AppendQuoted(message, &out);
  out += ",\"type\":";
  AppendQuoted(type, &out);
  out += ",\"param\":";
  append_or_null(param, &out);
  out += ",\"code\":";
  append_or_null(code, &out);
  return out += "}}";
}

OpenCall::OpenCall(std::unique_ptr<Admission::Ticket> ticket, std::shared_ptr<ReplySink> sink,
                   CallObserver& observer, Endpoint endpoint, const Caller& caller)
    : ticket_(std::move(ticket)), sink_(std::move(sink)), observer_(observer) {
  record_.request_id = caller.request_id;
  record_.endpoint = endpoint;
}

double OpenCall::Seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

// The place is free before anybody can read the answer, so that who waits for it finds room.
std::shared_ptr<ReplySink> OpenCall::Close(const char* finished, int status) {
  ticket_.reset();
  record_.finished = finished;
  record_.status = status;
  record_.all_s = Seconds();
  observer_.OnDone(record_);
  return std::exchange(sink_, nullptr);
}

void OpenCall::Whole(std::string json, const char* finished) {
  Close(finished, 200)->Whole(std::move(json));
}

void OpenCall::End(const char* finished) { Close(finished, 200)->End(); }

void OpenCall::Fail(const ApiError& error) { Close("error", error.status)->Fail(error); }

void OpenCall::Abort() { Close("abort", 499); }

std::shared_ptr<Call> EndedCall() {
  class Ended : public Call {
   public:
    void Cancel() override {}
  };
  static const auto kEnded = std::make_shared<Ended>();
  return kEnded;
}

ApiError EngineError(Status status, const std::string& message) {
  ApiError error;
  error.message = message;
  switch (status) {
    case Status::kInvalid:
    case Status::kUnsupported:
      break;
    case Status::kIo:
      error.status = 503;
      error.type = "service_unavailable_error";
      error.code = "engine_unavailable";
      error.retry_after_s = 1;
      break;
    default:
      error.status = 500;
      error.type = "server_error";
      error.code = "engine_error";
  }
  return error;
}

}  // namespace tenon::apps::openai
