// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/loadgen/fetch.h"

// What a server is asked before a run. Each call blocks for at most 30 s a request; kIo where the
// server does not answer, kUnsupported where it lacks the endpoint.
namespace tenon::apps {

// The first of GET /v1/models.
Result<std::string> FirstModel(const LoadTarget& target);

// Some hundreds of ids of `model`'s ordinary tokens, ascending: what POST /tokenize makes of
// syllables.
Result<std::vector<int32_t>> OrdinaryTokens(const LoadTarget& target, const std::string& model);

// What POST /detokenize makes of `ids`.
Result<std::string> TextOfTokens(const LoadTarget& target, const std::string& model,
                                 const std::vector<int32_t>& ids);

}  // namespace tenon::apps
