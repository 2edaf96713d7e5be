// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "apps/openai/fields.h"
#include "apps/openai/generation_call.h"

namespace tenon::apps::openai {

// What reading a request needs besides its text.
struct RequestContext {
  const ModelDirectory& models;
  const RequestCaps& caps;
  const Caller& caller;
};

// The model that `name` (empty: the first that `generates` or does not) and the caller choose.
// Nothing, and `error` filled, where there is none.
std::optional<NamedModel> FindModel(const RequestContext& context, const std::string& name,
                                    const std::string& user, bool generates, ApiError* error);

// Reads a body of chat or completions; nothing, and `error` filled, where it cannot be served.
std::optional<GenerationPlan> PlanChat(Fields& fields, const RequestContext& context,
                                       ApiError* error);
std::optional<GenerationPlan> PlanCompletion(Fields& fields, const RequestContext& context,
                                             ApiError* error);

}  // namespace tenon::apps::openai
