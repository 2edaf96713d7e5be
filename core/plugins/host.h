// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/host.h"

namespace tenon::core {

// What the core does for one component (or for itself): log lines on stderr with the component's
// name before them, and the text of the last failure of each thread. Any thread.
class PluginHost final : public Host {
 public:
  explicit PluginHost(std::string name) : name_(std::move(name)) {}

  void Log(LogLevel level, Str text) noexcept override;
  Status Fail(Status status, Str text) noexcept override;
  void* Service(const char* name) noexcept override;  // none is offered yet: null

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

// The text of this thread's last Fail, and forgets it; "it gave no reason" where there was none.
std::string TakeFailure();

// Forgets this thread's last Fail, so that the next TakeFailure is about the call that follows.
void ForgetFailure();

// Lines below `level` are left out from now on; kInfo at the start. Any thread.
void SetLogLevel(LogLevel level);

// A line of the core's own, or of an app. Any thread.
void Log(LogLevel level, const std::string& text);

// `text` fit for one line of a terminal: control characters become spaces, at most `most` bytes.
std::string OneLine(std::string_view text, size_t most = 2000);

}  // namespace tenon::core
