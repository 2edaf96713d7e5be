// SPDX-License-Identifier: Apache-2.0
#include "apps/record/recorded_directory.h"

#include <utility>

namespace tenon::apps::record {

RecordedDirectory::RecordedDirectory(const openai::ModelDirectory& models, RecordWriter& writer)
    : models_(models), writer_(writer) {}

std::vector<std::shared_ptr<const openai::ServedModel>> RecordedDirectory::Models() const {
  std::vector<Model> models = models_.Models();
  for (Model& model : models) model = RecordedOf(model);
  return models;
}

Result<openai::NamedModel> RecordedDirectory::Find(const std::string& name,
                                                   const std::string& sticky) const {
  auto found = models_.Find(name, sticky);
  if (found.ok()) found->model = RecordedOf(found->model);
  return found;
}

RecordedDirectory::Model RecordedDirectory::RecordedOf(const Model& original) const {
  if (!original->facts.generates) return original;
  const std::lock_guard lock(mutex_);
  for (const Recorded& one : recorded_) {
    if (one.original == original) return one.recorded;
  }
  // Another model: a reload may have put it in the place of one that nobody else holds any more.
  std::erase_if(recorded_, [](const Recorded& one) {
    return one.recorded.use_count() == 1 && one.original.use_count() == 2;
  });
  RecordedEngine engine;
  engine.model = original->name;
  engine.pipeline = original->facts.pipeline;
  engine.identity = original->identity;
  RecordWriter::TextOf text_of;
  if (writer_.text() && original->text != nullptr) {
    text_of = [text = original->text](std::span<const int32_t> ids) {
      return text->tokenizer.Decode(ids);
    };
  }
  const int32_t number = writer_.AddEngine(std::move(engine), std::move(text_of));
  auto recorded = std::make_shared<openai::ServedModel>(*original);
  recorded->engine =
      std::make_shared<RecordingClient>(original->engine, writer_, writer_.began(), number);
  // Who holds the copy holds the original, which tells its fleet that it is in use.
  Model held(recorded.get(), [recorded, original](const openai::ServedModel*) {});
  recorded_.push_back({original, held});
  return held;
}

}  // namespace tenon::apps::record
