// SPDX-License-Identifier: Apache-2.0
#include "apps/link/directory.h"

#include <functional>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps::link {

void Directory::Show(std::vector<Entry> entries) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    if (i < entries_.size() && entry.model == nullptr) entry.model = entries_[i].model;
    if (entry.model != nullptr) entry.never_came_up = false;
  }
  entries_ = std::move(entries);
}

void Directory::ShowDraining() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

std::vector<Directory::Entry> Directory::Entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

std::vector<std::shared_ptr<const openai::ServedModel>> Directory::Models() const {
  std::vector<std::shared_ptr<const openai::ServedModel>> models;
  for (Entry& entry : Entries()) {
    if (entry.model != nullptr) models.push_back(std::move(entry.model));
  }
  return models;
}

Result<openai::NamedModel> Directory::Find(const std::string& name,
                                           const std::string& sticky) const {
  const auto models = Models();
  if (models.empty()) return Error{Status::kIo, "no model is loaded yet"};
  std::vector<openai::NamedModel> found;
  std::vector<std::string> names;
  for (const auto& model : models) {
    names.push_back(model->name);
    if (model->name == name) found.push_back({model, ""});
    for (const std::string& adapter : model->facts.adapters) {
      names.push_back(adapter);
      if (adapter == name) found.push_back({model, adapter});
    }
  }
  if (!found.empty()) return found[std::hash<std::string>{}(sticky) % found.size()];
  return Error{Status::kNotFound,
               fmt::format("model \"{}\" is not served here; {} {}", name, fmt::join(names, ", "),
                           names.size() == 1 ? "is" : "are")};
}

std::string Directory::WhyNotReady() const {
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return "draining";
  }
  for (const Entry& entry : Entries()) {
    std::string why = entry.problem;
    if (why.empty() && entry.model == nullptr) why = "loading";
    if (why.empty()) why = entry.model->engine->State().why_not;
    if (!why.empty()) return entry.path + ": " + why;
  }
  return "";
}

std::string Directory::Failed() const {
  for (const Entry& entry : Entries()) {
    if (entry.never_came_up) return entry.problem;
  }
  return "";
}

}  // namespace tenon::apps::link
