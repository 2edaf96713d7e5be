// SPDX-License-Identifier: Apache-2.0
#include "models/load.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "fmt/format.h"
#include "models/architectures.h"
#include "models/quantization.h"
#include "models/settings.h"
#include "models/weights/quoted.h"
#include "models/weights/safetensors.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<StoredModel>> OpenAs(std::string_view name, ModelFiles files) {
  const Architecture* architecture = FindArchitecture(name, files.gguf);
  if (architecture == nullptr) {
    return Error{Status::kUnsupported,
                 fmt::format("{}: its architecture is {}; these can be read: {}",
                             files.settings->Path(), Quoted(name), ArchitectureNames(files.gguf))};
  }
  return architecture->open(std::move(files));
}

Result<std::unique_ptr<StoredModel>> LoadFolder(const std::string& folder) {
  Result<ConfigFile> config = ConfigFile::Open((fs::path(folder) / "config.json").string());
  if (!config.ok()) return config.error();
  const Scalar type = config->Find("model_type");
  if (type.kind != Scalar::Kind::kText) {
    return Error{Status::kInvalid, fmt::format("{}: model_type is no string; one of {} expected",
                                               config->Path(), ArchitectureNames(false))};
  }
  Result<TokenizerSource> tokens = ReadTokens(*config, folder);
  if (!tokens.ok()) return tokens.error();
  Settings in(*config);
  const ScaleBlock scale_block = ReadQuantization(in);
  TENON_RETURN_IF_ERROR(in.Check());
  Result<SafetensorsFile> tensors = SafetensorsFile::OpenFolder(folder);
  if (!tensors.ok()) return tensors.error();
  ModelFiles files;
  std::error_code ignored;
  files.name = fs::weakly_canonical(folder, ignored).filename().string();
  files.tokens = std::move(*tokens);
  files.scale_block = scale_block;
  files.tensors = std::make_unique<SafetensorsFile>(std::move(*tensors));
  files.config = std::make_unique<ConfigFile>(std::move(*config));
  files.settings = files.config.get();
  return OpenAs(type.text, std::move(files));
}

}  // namespace

Result<std::unique_ptr<StoredModel>> LoadModel(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return LoadFolder(path);
  if (path.ends_with(".safetensors") || path.ends_with(".json")) {
    return Error{Status::kInvalid,
                 fmt::format("{}: give the folder that holds config.json and the weights", path)};
  }
  Result<GgufFile> file = GgufFile::Open(path);
  if (!file.ok()) return file.error();
  return LoadModel(std::move(*file));
}

Result<std::unique_ptr<StoredModel>> LoadModel(GgufFile opened) {
  auto file = std::make_unique<GgufFile>(std::move(opened));
  const GgufMetadata& metadata = file->Metadata();
  const Result<std::string_view> architecture = metadata.Text("general.architecture");
  if (!architecture.ok()) return architecture.error();
  Result<TokenizerSource> tokens = ReadTokens(metadata);
  if (!tokens.ok()) return tokens.error();
  ModelFiles files;
  const Result<std::string_view> name = metadata.Text("general.name");
  files.name = name.ok() ? std::string(*name) : fs::path(file->Path()).stem().string();
  files.gguf = true;
  files.settings = &metadata;
  files.tokens = std::move(*tokens);
  files.tensors = std::move(file);
  return OpenAs(*architecture, std::move(files));
}

}  // namespace tenon::models
