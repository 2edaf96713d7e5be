// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "models/testing/gguf_writer.h"

namespace tenon::models::testing {

// A folder of the running test binary alone, made anew.
inline std::filesystem::path EmptyFolder(const std::string& name) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / ("tenon_models_" + name);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

inline std::string WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return path.string();
}

// Metadata of a llama of 2 layers, 8 columns, 2 heads of 4, 1 KV head, 16 feed-forward columns.
inline GgufWriter TinyLlamaMetadata() {
  GgufWriter w;
  w.Text("general.architecture", "llama");
  w.Text("general.name", "Tiny");
  w.U32("llama.block_count", 2);
  w.U32("llama.context_length", 64);
  w.U32("llama.embedding_length", 8);
  w.U32("llama.feed_forward_length", 16);
  w.U32("llama.attention.head_count", 2);
  w.U32("llama.attention.head_count_kv", 1);
  w.F32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  w.U32("llama.vocab_size", 12);
  return w;
}

// One f32 tensor of small numbers.
inline void AddMatrix(GgufWriter& w, const std::string& name, uint64_t rows, uint64_t columns) {
  std::string data;
  for (uint64_t i = 0; i < rows * columns; ++i) {
    GgufWriter::Put(data, static_cast<float>((i * 7 + name.size()) % 11) / 11.0f - 0.4f);
  }
  std::vector<uint64_t> axes = {columns};
  if (rows > 1) axes.push_back(rows);
  w.Tensor(name, axes, 0, data);
}

inline void AddTinyLlamaLayer(GgufWriter& w, int layer) {
  const std::string b = "blk." + std::to_string(layer) + ".";
  AddMatrix(w, b + "attn_norm.weight", 1, 8);
  AddMatrix(w, b + "attn_q.weight", 8, 8);
  AddMatrix(w, b + "attn_k.weight", 4, 8);
  AddMatrix(w, b + "attn_v.weight", 4, 8);
  AddMatrix(w, b + "attn_output.weight", 8, 8);
  AddMatrix(w, b + "ffn_norm.weight", 1, 8);
  AddMatrix(w, b + "ffn_gate.weight", 16, 8);
  AddMatrix(w, b + "ffn_up.weight", 16, 8);
  AddMatrix(w, b + "ffn_down.weight", 8, 16);
}

inline void AddTinyLlamaTensors(GgufWriter& w) {
  AddMatrix(w, "token_embd.weight", 12, 8);
  AddMatrix(w, "output_norm.weight", 1, 8);
  AddTinyLlamaLayer(w, 0);
  AddTinyLlamaLayer(w, 1);
}

inline GgufWriter TinyLlama() {
  GgufWriter w = TinyLlamaMetadata();
  AddTinyLlamaTensors(w);
  return w;
}

}  // namespace tenon::models::testing
