// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/local_model.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "apps/engine/local_client.h"
#include "apps/openai/model_text.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps::batch {
namespace {

Result<std::unique_ptr<EngineClient>> OpenClient(SessionOptions options) {
  // Makes an engine unless the model is an encoder.
  options.purpose = Purpose::kExplain;
  auto session = Session::Open(options);
  TENON_RETURN_IF_ERROR(session);
  if (!(*session)->model().model->Info().encoder) return MakeLocalClient(std::move(*session));
  session->reset();
  auto embeds = EmbeddingSession::Open({.session = std::move(options)});
  TENON_RETURN_IF_ERROR(embeds);
  return MakeLocalClient(std::move(*embeds));
}

}  // namespace

Result<std::unique_ptr<LocalModel>> LocalModel::Open(const SessionOptions& options) {
  auto client = OpenClient(options);
  TENON_RETURN_IF_ERROR(client);
  auto model = std::make_shared<openai::ServedModel>();
  model->engine = std::move(*client);
  model->facts = model->engine->Facts();
  model->name = model->facts.model;
  model->created = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  auto text = openai::ReadModelText(model->facts);
  TENON_RETURN_IF_ERROR(text);
  model->text = *std::move(text);
  return std::unique_ptr<LocalModel>(new LocalModel(std::move(model)));
}

LocalModel::~LocalModel() {
  while (model_.use_count() > 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Result<openai::NamedModel> LocalModel::Find(const std::string& name, const std::string&) const {
  if (name == model_->name) return openai::NamedModel{model_, {}};
  const std::vector<std::string>& adapters = model_->facts.adapters;
  if (std::find(adapters.begin(), adapters.end(), name) != adapters.end()) {
    return openai::NamedModel{model_, name};
  }
  return Error{Status::kNotFound,
               fmt::format("model \"{}\" is not what the pipeline names; {}{}{} {}", name,
                           model_->name, adapters.empty() ? "" : ", ", fmt::join(adapters, ", "),
                           adapters.empty() ? "is" : "are")};
}

}  // namespace tenon::apps::batch
