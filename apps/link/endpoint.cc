// SPDX-License-Identifier: Apache-2.0
#include "apps/link/endpoint.h"

#include <grpc/support/log.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace tenon::apps::link {

void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("GRPC_ENABLE_FORK_SUPPORT", "0", 1);
    // Broken connections are no news here; what gRPC dies of is.
    gpr_set_log_function([](gpr_log_func_args* entry) {
      if (std::string_view(entry->message).starts_with("assertion failed")) {
        std::fprintf(stderr, "%s:%d: %s\n", entry->file, entry->line, entry->message);
      }
    });
  });
}

}  // namespace tenon::apps::link
