// SPDX-License-Identifier: Apache-2.0
#include "models/sentence_pooling.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "fmt/format.h"
#include "models/settings.h"
#include "models/weights/config.h"
#include "models/weights/gguf.h"
#include "models/weights/mapped_file.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostModules = 16;
constexpr int32_t kMostTokens = 1 << 30;

struct Mode {
  const char* key;  // of the pooling module's config.json
  std::optional<Pooling> pooling;
};
constexpr Mode kModes[] = {{"pooling_mode_mean_tokens", Pooling::kMean},
                           {"pooling_mode_cls_token", Pooling::kCls},
                           {"pooling_mode_max_tokens", Pooling::kMax},
                           {"pooling_mode_lasttoken", Pooling::kLastToken},
                           {"pooling_mode_mean_sqrt_len_tokens", std::nullopt},
                           {"pooling_mode_weightedmean_tokens", std::nullopt}};

Error Unsupported(const std::string& path, const std::string& what) {
  return {Status::kUnsupported, path + ": " + what};
}

Result<Pooling> ReadMode(const std::string& path) {
  const Result<ConfigFile> config = ConfigFile::Open(path);
  if (!config.ok()) return config.error();
  Settings in(*config);
  const Mode* chosen = nullptr;
  int count = 0;
  for (const Mode& mode : kModes) {
    if (!in.FlagOr(mode.key, false)) continue;
    chosen = &mode;
    ++count;
  }
  TENON_RETURN_IF_ERROR(in.Check());
  if (count == 0) return Error{Status::kInvalid, path + ": no pooling_mode_… is true"};
  if (count > 1) {
    return Unsupported(path,
                       fmt::format("{} pooling modes are joined; one can be computed", count));
  }
  if (!chosen->pooling) {
    return Unsupported(
        path, fmt::format("{}; mean, cls, max and lasttoken can be computed", chosen->key));
  }
  return *chosen->pooling;
}

// A list has no place in a ConfigFile of its own: it becomes the object {"modules": [...]}.
Result<ConfigFile> OpenModules(const std::string& path) {
  const Result<MappedFile> map = MappedFile::Open(path);
  if (!map.ok()) return map.error();
  const std::string_view text(reinterpret_cast<const char*>(map->Bytes().data()),
                              std::min<size_t>(map->Bytes().size(), size_t{2} << 20));
  Result<ConfigFile> config = ConfigFile::Parse("{\"modules\":" + std::string(text) + "}", path);
  if (config.ok() && config->ListSize("modules") < 1) {
    return Error{Status::kInvalid, path + ": is no list of modules"};
  }
  return config;
}

// The folder of a module, inside the model's.
Result<fs::path> ModuleFolder(const std::string& list, const fs::path& model,
                              std::string_view path) {
  const fs::path relative(path);
  bool inside = relative.is_relative() && path.find('\0') == std::string_view::npos;
  for (const fs::path& part : relative) inside = inside && part != "..";
  if (inside) return model / relative;
  return Error{Status::kInvalid,
               fmt::format("{}: the path {} leads out of the folder", list, Quoted(path))};
}

Result<void> ReadModule(const std::string& list, const fs::path& model, std::string_view type,
                        std::string_view path, SentencePooling* out) {
  const std::string_view kind = type.substr(type.rfind('.') + 1);
  if (kind == "Transformer") {
    if (path.empty()) return {};
    return Unsupported(list, fmt::format("the model itself lies in {}; give that folder",
                                         Quoted((model / fs::path(path)).string())));
  }
  if (kind == "Pooling") {
    const Result<fs::path> folder = ModuleFolder(list, model, path);
    if (!folder.ok()) return folder.error();
    const Result<Pooling> mode = ReadMode((*folder / "config.json").string());
    if (!mode.ok()) return mode.error();
    out->pooling = *mode;
    return {};
  }
  if (kind == "Normalize") {
    out->normalise = true;
    return {};
  }
  if (kind == "Dropout") return {};  // does nothing outside training
  return Unsupported(list, fmt::format("a module of type {}; Transformer, Pooling and Normalize "
                                       "can be computed",
                                       Quoted(type)));
}

Result<void> ReadModules(const fs::path& model, SentencePooling* out) {
  const std::string path = (model / "modules.json").string();
  const Result<ConfigFile> modules = OpenModules(path);
  if (!modules.ok()) return modules.error();
  const int64_t count = modules->ListSize("modules");
  if (count > kMostModules) {
    return Unsupported(path, fmt::format("has {} modules; at most {}", count, kMostModules));
  }
  out->normalise = false;
  for (int64_t i = 0; i < count; ++i) {
    const std::string at = fmt::format("modules.{}.", i);
    const Scalar type = modules->Find(at + "type");
    const Scalar folder = modules->Find(at + "path");
    if (type.kind != Scalar::Kind::kText || folder.kind != Scalar::Kind::kText) {
      return Error{Status::kInvalid, fmt::format("{}: module {} has no type or no path", path, i)};
    }
    TENON_RETURN_IF_ERROR(ReadModule(path, model, type.text, folder.text, out));
  }
  return {};
}

Result<void> ReadLimits(const fs::path& model, SentencePooling* out) {
  const Result<ConfigFile> config =
      ConfigFile::Open((model / "sentence_bert_config.json").string());
  if (!config.ok()) return config.error();
  Settings in(*config);
  out->max_tokens = in.IntegerOr("max_seq_length", 0, 1, kMostTokens);
  const bool lower = in.FlagOr("do_lower_case", false);
  TENON_RETURN_IF_ERROR(in.Check());
  if (!lower) return {};
  return Unsupported(config->Path(),
                     "do_lower_case is true; texts are not put into lower case but by the "
                     "tokenizer's own normaliser");
}

Result<SentencePooling> FromGguf(const std::string& path, SentencePooling out) {
  const Result<GgufFile> file = GgufFile::Open(path);
  if (!file.ok()) return file.error();
  const Result<std::string_view> architecture = file->Metadata().Text("general.architecture");
  if (!architecture.ok()) return architecture.error();
  Settings in(file->Metadata(), std::string(*architecture) + ".");
  const int32_t type = in.IntegerOr("pooling_type", 0, 0, INT32_MAX);
  TENON_RETURN_IF_ERROR(in.Check());
  if (type == 0) return out;  // "none": token by token, or not said
  constexpr Pooling kTypes[] = {Pooling::kMean, Pooling::kCls, Pooling::kLastToken};
  if (type > 3) {
    return Unsupported(path, fmt::format("pooling_type is {}; mean (1), cls (2) and last (3) can "
                                         "be computed",
                                         type));
  }
  out.pooling = kTypes[type - 1];
  return out;
}

}  // namespace

Result<SentencePooling> ReadSentencePooling(const std::string& model_path, bool encoder) {
  SentencePooling out;
  out.pooling = encoder ? Pooling::kMean : Pooling::kLastToken;
  std::error_code ignored;
  const fs::path model(model_path);
  if (!fs::is_directory(model, ignored)) return FromGguf(model_path, out);
  if (fs::exists(model / "modules.json", ignored)) {
    TENON_RETURN_IF_ERROR(ReadModules(model, &out));
  }
  if (fs::exists(model / "sentence_bert_config.json", ignored)) {
    TENON_RETURN_IF_ERROR(ReadLimits(model, &out));
  }
  return out;
}

}  // namespace tenon::models
