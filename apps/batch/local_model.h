// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "apps/openai/served_model.h"

namespace tenon::apps::batch {

// One pipeline's model and its adapters, served in this process.
class LocalModel : public openai::ModelDirectory {
 public:
  // Loads the pipeline: an encoder to embed, any other model to generate.
  static Result<std::unique_ptr<LocalModel>> Open(const SessionOptions& options);

  // Waits for requests that were cancelled to leave the engine, which its own thread cannot end.
  ~LocalModel() override;

  std::vector<std::shared_ptr<const openai::ServedModel>> Models() const override {
    return {model_};
  }
  Result<openai::NamedModel> Find(const std::string& name,
                                  const std::string& sticky) const override;

 private:
  explicit LocalModel(std::shared_ptr<const openai::ServedModel> model)
      : model_(std::move(model)) {}

  const std::shared_ptr<const openai::ServedModel> model_;
};

}  // namespace tenon::apps::batch
