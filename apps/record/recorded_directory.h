// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <vector>

#include "apps/openai/served_model.h"
#include "apps/record/record_writer.h"

namespace tenon::apps::record {

// The models of another directory, with their requests recorded. Thread: any.
class RecordedDirectory final : public openai::ModelDirectory {
 public:
  // Both outlive it and the models that it gave.
  RecordedDirectory(const openai::ModelDirectory& models, RecordWriter& writer);

  std::vector<std::shared_ptr<const openai::ServedModel>> Models() const override;
  Result<openai::NamedModel> Find(const std::string& name,
                                  const std::string& sticky) const override;

 private:
  using Model = std::shared_ptr<const openai::ServedModel>;
  struct Recorded {
    Model original;
    Model recorded;
  };

  Model RecordedOf(const Model& original) const;

  const openai::ModelDirectory& models_;
  RecordWriter& writer_;
  mutable std::mutex mutex_;
  mutable std::vector<Recorded> recorded_;  // of models that are served, one each
};

}  // namespace tenon::apps::record
