// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "apps/openai/fields.h"
#include "apps/openai/generation_call.h"
#include "apps/openai/request_context.h"

namespace tenon::apps::openai {

// Reads a body of chat or completions; nothing, and `error` filled, where it cannot be served.
std::optional<GenerationPlan> PlanChat(Fields& fields, const RequestContext& context,
                                       ApiError* error);
std::optional<GenerationPlan> PlanCompletion(Fields& fields, const RequestContext& context,
                                             ApiError* error);

}  // namespace tenon::apps::openai
