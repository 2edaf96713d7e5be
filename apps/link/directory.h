// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apps/openai/served_model.h"

namespace tenon::apps::link {

// What a fleet shows of itself now. Thread: any.
class Directory {
 public:
  struct Entry {
    std::string path;                                  // of the pipeline
    std::shared_ptr<const openai::ServedModel> model;  // null until it is loaded
    std::string problem;                               // why it is broken; empty: it is not
    bool never_came_up = false;
  };

  // One entry a pipeline. A model that is gone for a while keeps its place.
  void Show(std::vector<Entry> entries);
  // From now on WhyNotReady says so.
  void ShowDraining();

  // These are Fleet's functions of the same names.
  std::vector<std::shared_ptr<const openai::ServedModel>> Models() const;
  Result<openai::NamedModel> Find(const std::string& name, const std::string& sticky) const;
  std::string WhyNotReady() const;
  std::string Failed() const;

 private:
  std::vector<Entry> Entries() const;

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  bool draining_ = false;
};

}  // namespace tenon::apps::link
