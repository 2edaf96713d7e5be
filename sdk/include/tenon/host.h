// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/status.h"
#include "tenon/types.h"

namespace tenon {

enum class LogLevel : uint32_t { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3 };

// What the host does for a plugin; a plugin has no undefined Tenon symbol. Lives longer than every
// component. All methods: any thread.
class Host {
 public:
  // One line to the log, on stderr; the host adds the component's name.
  virtual void Log(LogLevel level, Str text) noexcept = 0;

  // Remembers `text` as the reason why the call that this thread is in fails, and returns `status`,
  // so that a method can end with `return host.Fail(Status::kInvalid, "…");`. The text names the
  // value seen and the values allowed.
  virtual Status Fail(Status status, Str text) noexcept = 0;

  // An optional service of the host by versioned name ("tenon.clock/1"); null where there is none.
  virtual void* Service(const char* name) noexcept = 0;

 protected:
  ~Host() = default;
};

}  // namespace tenon
