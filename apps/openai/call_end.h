// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "apps/openai/admission.h"
#include "apps/openai/api.h"

namespace tenon::apps::openai {

// What every call has from its beginning: its place, who hears its answer, and its record. Ends
// once, with one of the functions below, which tell the observer, the sink, and leave the place.
class OpenCall {
 public:
  OpenCall(std::unique_ptr<Admission::Ticket> ticket, std::shared_ptr<ReplySink> sink,
           CallObserver& observer, Endpoint endpoint, const Caller& caller);

  void Whole(std::string json, const char* finished = "stop");
  void End(const char* finished);  // of a stream
  void Fail(const ApiError& error);
  void Abort();  // tells the sink nothing

  bool admitted() const { return ticket_ != nullptr; }  // before its end
  bool ended() const { return sink_ == nullptr; }
  // REQUIRES: !ended(). A copy, since the call may end within what the sink is told.
  std::shared_ptr<ReplySink> sink() const { return sink_; }
  CallObserver& observer() { return observer_; }
  Admission::Ticket& ticket() { return *ticket_; }  // REQUIRES: !ended()
  CallRecord& record() { return record_; }
  double Seconds() const;  // since it began

 private:
  std::shared_ptr<ReplySink> Close(const char* finished, int status);

  std::unique_ptr<Admission::Ticket> ticket_;
  std::shared_ptr<ReplySink> sink_;
  CallObserver& observer_;
  CallRecord record_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// A call that is over.
std::shared_ptr<Call> EndedCall();

// The error of an engine, as a client reads it.
ApiError EngineError(Status status, const std::string& message);

}  // namespace tenon::apps::openai
