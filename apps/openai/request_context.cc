// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/request_context.h"

#include "apps/openai/call_end.h"

namespace tenon::apps::openai {
namespace {

bool Fits(const ServedModel& model, ModelUse use) {
  return use == ModelUse::kEither || model.facts.generates == (use == ModelUse::kGenerate);
}

}  // namespace

std::optional<NamedModel> FindModel(const RequestContext& context, const std::string& name,
                                    const std::string& user, ModelUse use, ApiError* error) {
  NamedModel named;
  if (name.empty()) {
    for (const auto& model : context.models.Models()) {
      if (named.model == nullptr && Fits(*model, use)) named.model = model;
    }
  }
  if (named.model == nullptr) {
    auto found = context.models.Find(name, user.empty() ? context.caller.request_id : user);
    if (!found.ok()) {
      const bool missing = found.error().status == Status::kNotFound;
      *error =
          EngineError(missing ? Status::kInvalid : found.error().status, found.error().message);
      if (missing) {
        error->status = 404;
        error->code = "model_not_found";
        error->param = "model";
      }
      return std::nullopt;
    }
    named = *std::move(found);
  }
  if (Fits(*named.model, use)) return named;
  *error = ApiError();
  error->param = "model";
  error->message = "model \"" + named.model->name +
                   (use == ModelUse::kGenerate ? "\" embeds texts; it generates none"
                                               : "\" generates texts; it embeds none");
  return std::nullopt;
}

const std::string& NameOf(const NamedModel& named) {
  return named.adapter.empty() ? named.model->name : named.adapter;
}

}  // namespace tenon::apps::openai
