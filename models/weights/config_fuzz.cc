// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes as a config.json, opened as each known architecture.
#include <cstddef>
#include <cstdint>

#include "models/architectures.h"
#include "models/tokenizer_source.h"
#include "models/weights/config.h"

namespace {

// A file without tensors: whatever the config says, they are missing.
class NoTensors final : public tenon::models::TensorSource {
 public:
  size_t TensorCount() const override { return 0; }
  const tenon::models::StoredTensor& TensorAt(size_t) const override { __builtin_trap(); }
  const tenon::models::StoredTensor* FindTensor(std::string_view) const override { return nullptr; }
  const std::string& Path() const override { return path_; }

 private:
  std::string path_ = "fuzz";
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace models = tenon::models;
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  for (const models::Architecture& architecture : models::Architectures()) {
    auto config = models::ConfigFile::Parse(json, "fuzz.json");
    if (!config.ok()) {
      if (config.error().message.empty()) __builtin_trap();
      return 0;
    }
    (void)models::ReadTokens(*config, "").ok();
    models::ModelFiles files;
    files.config = std::make_unique<models::ConfigFile>(std::move(*config));
    files.settings = files.config.get();
    files.tensors = std::make_unique<NoTensors>();
    if (architecture.open(std::move(files)).ok()) __builtin_trap();
  }
  return 0;
}
