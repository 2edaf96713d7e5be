// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

#include "tenon/host.h"

namespace tenon::cpu {

// A host that remembers what it was told.
class TestHost final : public Host {
 public:
  void Log(LogLevel, Str text) noexcept override {
    const std::lock_guard lock(mutex_);
    logged_ = std::string(text);
  }
  Status Fail(Status status, Str text) noexcept override {
    const std::lock_guard lock(mutex_);
    failure_ = std::string(text);
    return status;
  }
  void* Service(const char*) noexcept override { return nullptr; }

  std::string logged() const { return logged_; }
  std::string failure() const { return failure_; }

 private:
  std::mutex mutex_;
  std::string logged_;
  std::string failure_;
};

}  // namespace tenon::cpu
