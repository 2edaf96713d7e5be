// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "apps/openai/api.h"
#include "apps/server/exchange.h"
#include "apps/server/log.h"

namespace tenon::apps::server {

// A call's answer as HTTP: one response, or server-sent events with `[DONE]` behind the last. A
// stream that fails midway ends with an error event, never with [DONE].
class HttpAnswer : public openai::ReplySink {
 public:
  explicit HttpAnswer(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  void Whole(std::string json) override { exchange_->Reply({200, std::move(json)}); }
  void Chunk(std::string json) override;
  void End() override;
  void Fail(const openai::ApiError& error) override;

 private:
  const std::shared_ptr<Exchange> exchange_;
  bool begun_ = false;
};

// Puts each part of an answer into the log, for --log-prompts, and passes it on.
class LoggedAnswer : public openai::ReplySink {
 public:
  LoggedAnswer(std::shared_ptr<openai::ReplySink> to, Log& log, std::string id)
      : to_(std::move(to)), log_(log), id_(std::move(id)) {}

  void Whole(std::string json) override;
  void Chunk(std::string json) override;
  void End() override { to_->End(); }
  void Fail(const openai::ApiError& error) override { to_->Fail(error); }

 private:
  const std::shared_ptr<openai::ReplySink> to_;
  Log& log_;
  const std::string id_;
};

}  // namespace tenon::apps::server
