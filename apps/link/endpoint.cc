// SPDX-License-Identifier: Apache-2.0
#include "apps/link/endpoint.h"

#include <grpc/support/log.h>

#include <cstdlib>
#include <mutex>

namespace tenon::apps::link {

void PrepareGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("GRPC_ENABLE_FORK_SUPPORT", "0", 1);
    gpr_set_log_function([](gpr_log_func_args*) {});
  });
}

}  // namespace tenon::apps::link
