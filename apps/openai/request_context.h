// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "apps/openai/api.h"
#include "apps/openai/served_model.h"

namespace tenon::apps::openai {

// What reading a request needs besides its text.
struct RequestContext {
  const ModelDirectory& models;
  const RequestCaps& caps;
  const Caller& caller;
};

// What a model must do; kEither where its tokenizer is all that is asked for.
enum class ModelUse : uint8_t { kGenerate, kEmbed, kEither };

// The model that a request names; the first of that use where `name` is empty. Nothing, and `error`
// filled, where there is none.
std::optional<NamedModel> FindModel(const RequestContext& context, const std::string& name,
                                    const std::string& user, ModelUse use, ApiError* error);

// How an answer calls it.
const std::string& NameOf(const NamedModel& named);

}  // namespace tenon::apps::openai
