// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "models/testing/reference.h"
#include "models/testing/tiny_llama.h"

// The tiny reference models: where they are, with other configs, and as GGUF files.
namespace tenon::models::testing {

// Empty where the reference data is not here.
inline std::filesystem::path Tiny(const std::string& name) {
  const auto folder = std::filesystem::path(TENON_SHARED_DIR) / "reference/tiny" / name;
  return std::filesystem::exists(folder) ? folder : std::filesystem::path();
}

inline std::string ConfigOf(const std::filesystem::path& folder) {
  std::ifstream in(folder / "config.json");
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  if (at != text.npos) text.replace(at, from.size(), to);
  return text;
}

// The model of that folder with another config.
inline std::filesystem::path WithConfig(const std::filesystem::path& folder,
                                        const std::string& config) {
  const auto changed = EmptyFolder("changed");
  create_symlink(canonical(folder / "model.safetensors"), changed / "model.safetensors");
  WriteFile(changed / "config.json", config);
  return changed;
}

inline std::string ErrorOf(const std::filesystem::path& path) {
  const auto model = LoadModel(path.string());
  return model.ok() ? "no error" : model.error().message;
}

// ---- as GGUF files

// Metadata of the references: three layers of 64 columns, 4 heads, 2 KV heads.
inline GgufWriter SizesOfReference(const std::string& name, float epsilon) {
  GgufWriter w;
  w.Text("general.architecture", name);
  w.U32(name + ".block_count", 3);
  w.U32(name + ".context_length", 512);
  w.U32(name + ".embedding_length", 64);
  w.U32(name + ".feed_forward_length", 160);
  w.U32(name + ".attention.head_count", 4);
  w.U32(name + ".attention.head_count_kv", 2);
  w.F32(name + ".attention.layer_norm_rms_epsilon", epsilon);
  return w;
}

// Rows of each head from (i, i + half) order to (2 i, 2 i + 1), as the converter to GGUF does.
inline std::vector<float> PairsAsNeighbours(const std::vector<float>& rows, size_t head_dim,
                                            size_t columns) {
  std::vector<float> out(rows.size());
  for (size_t r = 0; r < rows.size() / columns; ++r) {
    const size_t i = r % head_dim;
    const size_t half = head_dim / 2;
    const size_t to = r - i + (i < half ? 2 * i : 2 * (i - half) + 1);
    std::copy_n(&rows[r * columns], columns, &out[to * columns]);
  }
  return out;
}

// "mlp.experts.12.up_proj" to "mlp.experts.{}.up_proj"; the number goes to `expert`.
inline std::string WithoutExpert(std::string module, int* expert) {
  const std::string part = ".experts.";
  const size_t at = module.find(part);
  if (at == module.npos) return module;
  const size_t begin = at + part.size();
  const size_t end = module.find('.', begin);
  *expert = std::stoi(module.substr(begin, end - begin));
  return module.replace(begin, end - begin, "{}");
}

// "model.layers.2.mlp.up_proj.weight" to "blk.2.ffn_up.weight"; empty where there is no such name.
inline std::string GgufName(const std::string& name, const Names& of_layer, int* expert) {
  if (name == "model.embed_tokens.weight") return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == "lm_head.weight") return "output.weight";
  const std::string prefix = "model.layers.";
  if (!name.starts_with(prefix)) return "";
  const size_t dot = name.find('.', prefix.size());
  const std::string block = "blk." + name.substr(prefix.size(), dot - prefix.size()) + ".";
  const std::string rest = name.substr(dot + 1);
  if (const auto whole = of_layer.find(rest); whole != of_layer.end()) {
    return block + whole->second;
  }
  const size_t last = rest.rfind('.');
  const auto found = of_layer.find(WithoutExpert(rest.substr(0, last), expert));
  return found != of_layer.end() ? block + found->second + rest.substr(last) : "";
}

struct GgufTensor {
  std::vector<float> values;
  uint64_t columns = 0;
};

// The tensors of the folder by their GGUF names, experts joined in the order of their numbers.
// `names` has modules of a layer without ".weight" or ".bias", or whole.
inline std::map<std::string, GgufTensor> GgufTensors(const std::filesystem::path& folder,
                                                     const Names& names) {
  std::map<std::pair<std::string, int>, GgufTensor> parts;
  const auto file = SafetensorsFile::OpenFolder(folder.string());
  EXPECT_TRUE(file.ok());
  for (size_t i = 0; file.ok() && i < file->TensorCount(); ++i) {
    const StoredTensor& stored = file->TensorAt(i);
    int expert = 0;
    const std::string name = GgufName(std::string(stored.name), names, &expert);
    EXPECT_FALSE(name.empty()) << stored.name;
    parts[{name, expert}] = {Values(*file, std::string(stored.name)),
                             static_cast<uint64_t>(stored.tensor.columns)};
  }
  std::map<std::string, GgufTensor> out;
  for (const auto& [key, part] : parts) {
    GgufTensor& whole = out[key.first];
    whole.columns = part.columns;
    whole.values.insert(whole.values.end(), part.values.begin(), part.values.end());
  }
  return out;
}

inline std::filesystem::path WriteGguf(GgufWriter& w,
                                       const std::map<std::string, GgufTensor>& tensors) {
  for (const auto& [name, tensor] : tensors) Put(w, name, tensor.values, tensor.columns);
  return WriteFile(EmptyFolder("gguf") / "m.gguf", w.Bytes());
}

}  // namespace tenon::models::testing
