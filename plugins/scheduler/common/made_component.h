// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tenon/plugin.h"

namespace tenon::testing {

// A Host for tests: remembers the last failure, logs nothing.
class RecordingHost final : public Host {
 public:
  void Log(LogLevel, Str) noexcept override {}
  Status Fail(Status status, Str text) noexcept override {
    failure = std::string(std::string_view(text));
    return status;
  }
  void* Service(const char*) noexcept override { return nullptr; }

  std::string failure;
};

// A component made through its plugin's description, as a host would, with the defaults of its
// option table but for `options` (as they would stand in YAML). Ends it too. For tests.
class MadeComponent {
 public:
  MadeComponent(const PluginInfo* plugin, const std::string& name,
                const std::map<std::string, std::string>& options = {}) {
    for (uint32_t i = 0; i < plugin->component_count; ++i) {
      if (name == plugin->components[i]->name) info_ = plugin->components[i];
    }
    if (info_ == nullptr) return;
    for (uint32_t i = 0; i < info_->option_count; ++i) {
      const auto given = options.find(info_->options[i].name);
      texts_.push_back(given == options.end() ? info_->options[i].default_text : given->second);
    }
    for (uint32_t i = 0; i < info_->option_count; ++i) {
      OptionValue value;
      value.type = info_->options[i].type;
      value.boolean = texts_[i] == "true";
      value.integer = std::strtoll(texts_[i].c_str(), nullptr, 10);
      value.number = std::strtod(texts_[i].c_str(), nullptr);
      value.text = Str(std::string_view(texts_[i]));
      values_.push_back(value);
    }
    const CreateArgs args = {
        &host_, {{info_->options, info_->option_count}, {values_.data(), values_.size()}}, nullptr};
    status_ = info_->create(&args, &component_);
  }
  ~MadeComponent() {
    if (component_ != nullptr) info_->destroy(component_);
  }
  MadeComponent(const MadeComponent&) = delete;
  MadeComponent& operator=(const MadeComponent&) = delete;

  // Null where there is no such component, it was not made, or it does not offer the interface.
  template <typename T>
  T* Get() const {
    return component_ == nullptr ? nullptr : QueryFor<T>(*component_);
  }
  const ComponentInfo* info() const { return info_; }
  Status status() const { return status_; }
  const std::string& failure() const { return host_.failure; }

 private:
  RecordingHost host_;
  const ComponentInfo* info_ = nullptr;
  std::vector<std::string> texts_;
  std::vector<OptionValue> values_;
  Component* component_ = nullptr;
  Status status_ = Status::kNotFound;
};

}  // namespace tenon::testing
