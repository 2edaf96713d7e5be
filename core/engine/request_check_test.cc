// SPDX-License-Identifier: Apache-2.0
#include "core/engine/request_check.h"

#include <gtest/gtest.h>

namespace tenon::core {
namespace {

TEST(RequestCheck, RefusesAPromptLargerThanThePool) {
  const RequestLimits limits = {
      .vocabulary = 10, .adapters = 0, .max_sequences = 4, .max_context = 100, .pool_tokens = 64};
  Request request;
  request.prompt.assign(64, 1);
  request.max_tokens = 30;
  EXPECT_TRUE(CheckRequest(request, limits).ok());
  request.prompt.push_back(1);
  const auto refused = CheckRequest(request, limits);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().status, Status::kInvalid);
  EXPECT_EQ(refused.error().message,
            "the prompt has 65 tokens; the KV cache holds 64 in all (memory.kv_tokens)");
}

}  // namespace
}  // namespace tenon::core
