// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "apps/openai/fields.h"
#include "apps/openai/request_context.h"

namespace tenon::apps::openai {

// What /tokenize and /detokenize answer, in vLLM's shapes; nothing, and `error` filled, where they
// cannot. A tokenized prompt is what completions would make of it, `messages` what chat would.
std::optional<std::string> Tokenize(Fields& fields, const RequestContext& context, ApiError* error);
std::optional<std::string> Detokenize(Fields& fields, const RequestContext& context,
                                      ApiError* error);

}  // namespace tenon::apps::openai
