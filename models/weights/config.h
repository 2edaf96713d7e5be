// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "models/weights/scalar.h"
#include "tenon/result.h"

namespace tenon::models {

// A Hugging Face config.json, or another small JSON object of settings. At most 1 MiB, nested at
// most 32 deep. Thread: const methods from any.
class ConfigFile final : public ScalarSource {
 public:
  static Result<ConfigFile> Open(const std::string& path);

  // Parses `json`; `name` stands for the path in messages. Keeps no view of it.
  static Result<ConfigFile> Parse(std::string_view json, const std::string& name);

  ConfigFile(ConfigFile&&) noexcept;
  ConfigFile& operator=(ConfigFile&&) noexcept;
  ~ConfigFile() override;

  // Keys are paths: "rope_parameters.full_attention.rope_theta", "layer_types.0".
  Scalar Find(std::string_view key) const override;
  int64_t ListSize(std::string_view key) const override;
  const std::string& Path() const override { return path_; }

 private:
  struct Tree;

  ConfigFile(std::string path, std::unique_ptr<const Tree> tree);

  std::string path_;
  std::unique_ptr<const Tree> tree_;
};

}  // namespace tenon::models
