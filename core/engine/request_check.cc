// SPDX-License-Identifier: Apache-2.0
#include "core/engine/request_check.h"

#include "fmt/format.h"

namespace tenon::core {
namespace {

Error Refused(std::string message) { return {Status::kInvalid, std::move(message)}; }

Result<void> CheckTokens(const Request& request, int32_t vocabulary) {
  if (request.prompt.empty()) return Refused("the prompt has no tokens; give at least one");
  for (const int32_t id : request.prompt) {
    if (id < 0 || id >= vocabulary) {
      return Refused(fmt::format("token id {} is outside the vocabulary of {}", id, vocabulary));
    }
  }
  for (const TokenBias& bias : request.bias) {
    if (bias.token < 0 || bias.token >= vocabulary) {
      return Refused(
          fmt::format("logit_bias names token {}; the vocabulary has {}", bias.token, vocabulary));
    }
  }
  return {};
}

Result<void> CheckLength(const Request& request, const RequestLimits& limits) {
  if (request.max_tokens < 0) return Refused("max_tokens is below 0");
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const int64_t all = prompt + request.max_tokens;
  if (all > limits.max_context) {
    return Refused(
        fmt::format("prompt of {} tokens + max_tokens {} is {}; the context holds {} "
                    "(memory.context_tokens)",
                    prompt, request.max_tokens, all, limits.max_context));
  }
  if (limits.pool_tokens > 0 && prompt > limits.pool_tokens) {
    return Refused(
        fmt::format("the prompt has {} tokens; the KV cache holds {} in all (memory.kv_tokens)",
                    prompt, limits.pool_tokens));
  }
  return {};
}

}  // namespace

Result<void> CheckRequest(const Request& request, const RequestLimits& limits) {
  TENON_RETURN_IF_ERROR(CheckTokens(request, limits.vocabulary));
  if (request.n < 1 || request.n > limits.max_sequences) {
    return Refused(fmt::format("n is {}; 1 to {} allowed", request.n, limits.max_sequences));
  }
  if (request.adapter < -1 || request.adapter >= limits.adapters) {
    return Refused(
        fmt::format("adapter is {}; -1 for none{} allowed", request.adapter,
                    limits.adapters > 0 ? fmt::format(", 0 to {}", limits.adapters - 1) : ""));
  }
  return CheckLength(request, limits);
}

}  // namespace tenon::core
