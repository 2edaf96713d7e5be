// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizer_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "fmt/format.h"
#include "models/settings.h"
#include "models/weights/config.h"
#include "models/weights/gguf_metadata.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;

// Stores a list if the file has it.
template <typename T>
Result<void> Optional(Result<std::vector<T>> list, std::vector<T>* out) {
  if (list.ok()) {
    *out = std::move(*list);
  } else if (list.error().status != Status::kNotFound) {
    return list.error();
  }
  return {};
}

std::string PathIfThere(const std::string& folder, const char* name) {
  std::error_code ignored;
  const fs::path path = fs::path(folder) / name;
  return fs::is_regular_file(path, ignored) ? path.string() : std::string();
}

int32_t Id(Settings& in, std::string_view key) { return in.IntegerOr(key, -1, -1, INT32_MAX); }

// "eos_token_id": one, or a list of which the first 64 count.
std::vector<int32_t> Ends(Settings& in) {
  std::vector<int32_t> ids;
  const int64_t listed = in.ListSize("eos_token_id");
  if (listed < 0) ids.push_back(Id(in, "eos_token_id"));
  for (int64_t i = 0; i < listed && i < 64; ++i) {
    ids.push_back(Id(in, fmt::format("eos_token_id.{}", i)));
  }
  return ids;
}

void AddEnd(int32_t id, TokenizerSource* out) {
  std::vector<int32_t>& more = out->more_eos;
  if (id < 0 || id == out->eos || std::find(more.begin(), more.end(), id) != more.end()) return;
  if (out->eos < 0) {
    out->eos = id;
  } else {
    more.push_back(id);
  }
}

}  // namespace

Result<TokenizerSource> ReadTokens(const GgufMetadata& metadata) {
  TokenizerSource out;
  Settings in(metadata, "tokenizer.");
  out.kind = in.TextOr("ggml.model", "");
  out.pre = in.TextOr("ggml.pre", "");
  const bool sentencepiece = out.kind == "llama";
  out.bos = Id(in, "ggml.bos_token_id");
  out.eos = Id(in, "ggml.eos_token_id");
  out.eot = Id(in, "ggml.eot_token_id");
  out.unk = Id(in, "ggml.unknown_token_id");
  out.pad = Id(in, "ggml.padding_token_id");
  out.add_bos = in.FlagOr("ggml.add_bos_token", sentencepiece);
  out.add_eos = in.FlagOr("ggml.add_eos_token", false);
  out.add_space_prefix = in.FlagOr("ggml.add_space_prefix", sentencepiece);
  out.chat_template = in.TextOr("chat_template", "");
  TENON_RETURN_IF_ERROR(in.Check());
  TENON_RETURN_IF_ERROR(Optional(metadata.Texts("tokenizer.ggml.tokens"), &out.tokens));
  TENON_RETURN_IF_ERROR(Optional(metadata.Floats("tokenizer.ggml.scores"), &out.scores));
  TENON_RETURN_IF_ERROR(Optional(metadata.Integers("tokenizer.ggml.token_type"), &out.types));
  TENON_RETURN_IF_ERROR(Optional(metadata.Texts("tokenizer.ggml.merges"), &out.merges));
  return out;
}

Result<TokenizerSource> ReadTokens(const ConfigFile& config, const std::string& folder) {
  TokenizerSource out;
  Settings in(config);
  out.bos = Id(in, "bos_token_id");
  out.pad = Id(in, "pad_token_id");
  const std::vector<int32_t> ends = Ends(in);
  if (!ends.empty()) out.eos = ends.front();
  if (ends.size() > 1) out.more_eos.assign(ends.begin() + 1, ends.end());
  TENON_RETURN_IF_ERROR(in.Check());
  if (const std::string path = PathIfThere(folder, "generation_config.json"); !path.empty()) {
    auto generation = ConfigFile::Open(path);
    TENON_RETURN_IF_ERROR(generation);
    Settings settings(*generation);
    for (const int32_t id : Ends(settings)) AddEnd(id, &out);
    TENON_RETURN_IF_ERROR(settings.Check());
  }
  out.chat_template_jinja = PathIfThere(folder, "chat_template.jinja");
  out.tokenizer_json = PathIfThere(folder, "tokenizer.json");
  out.tokenizer_config_json = PathIfThere(folder, "tokenizer_config.json");
  out.tokenizer_model = PathIfThere(folder, "tokenizer.model");
  return out;
}

}  // namespace tenon::models
