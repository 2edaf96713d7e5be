// SPDX-License-Identifier: Apache-2.0
#include "apps/server/answer.h"

namespace tenon::apps::server {

void HttpAnswer::Chunk(std::string json) {
  if (!std::exchange(begun_, true)) exchange_->Begin();
  exchange_->Send(json);
}

void HttpAnswer::End() {
  Chunk("[DONE]");
  exchange_->Finish();
}

void HttpAnswer::Fail(const openai::ApiError& error) {
  if (!begun_) return exchange_->Reply(ErrorResponse(error));
  Chunk(error.Json());
  exchange_->Finish();
}

void LoggedAnswer::Whole(std::string json) {
  log_.Info("answer", {{"id", id_}, {"body", json}});
  to_->Whole(std::move(json));
}

void LoggedAnswer::Chunk(std::string json) {
  log_.Info("chunk", {{"id", id_}, {"body", json}});
  to_->Chunk(std::move(json));
}

}  // namespace tenon::apps::server
