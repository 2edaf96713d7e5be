// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "models/testing/gguf_writer.h"
#include "models/testing/safetensors_writer.h"
#include "models/testing/tiny_llama.h"

namespace tenon::models::testing {

// A random BERT, its files in every layout that is read, and what it computes, in double and word
// for word after Devlin et al. 2018.
class TinyBert {
 public:
  static constexpr int kVocabulary = 13, kHidden = 8, kHeads = 2, kFfn = 16, kLayers = 2;
  static constexpr int kPositions = 10;

  using Values = std::vector<float>;
  using Row = std::vector<double>;

  TinyBert() {
    Add("embeddings.word_embeddings.weight", kVocabulary * kHidden);
    Add("embeddings.position_embeddings.weight", kPositions * kHidden);
    Add("embeddings.token_type_embeddings.weight", 2 * kHidden);
    AddNorm("embeddings.LayerNorm");
    for (int i = 0; i < kLayers; ++i) {
      const std::string layer = "encoder.layer." + std::to_string(i) + ".";
      for (const char* name : {"attention.self.query", "attention.self.key", "attention.self.value",
                               "attention.output.dense"}) {
        AddLinear(layer + name, kHidden, kHidden);
      }
      AddNorm(layer + "attention.output.LayerNorm");
      AddLinear(layer + "intermediate.dense", kFfn, kHidden);
      AddLinear(layer + "output.dense", kHidden, kFfn);
      AddNorm(layer + "output.LayerNorm");
    }
  }

  static std::string Config(const std::string& more = "", const char* type = "bert") {
    return R"({"model_type":")" + std::string(type) +
           R"(","vocab_size":13,"hidden_size":8,"num_hidden_layers":2,)"
           R"("num_attention_heads":2,"intermediate_size":16,"hidden_act":"gelu",)"
           R"("max_position_embeddings":10,"type_vocab_size":2,"layer_norm_eps":1e-12)" +
           more + "}";
  }

  // Writes config.json and model.safetensors with the names as `rename` gives them ("": left out).
  std::string WriteFolder(const std::filesystem::path& folder, const std::string& config,
                          const std::function<std::string(const std::string&)>& rename) const {
    SafetensorsWriter w;
    for (const auto& [name, values] : tensors) {
      const std::string stored = rename(name);
      if (!stored.empty()) w.F32(stored, ShapeOf(name), values);
    }
    WriteFile(folder / "config.json", config);
    WriteFile(folder / "model.safetensors", w.Bytes());
    return folder.string();
  }
  std::string WriteFolder(const std::filesystem::path& folder) const {
    return WriteFolder(folder, Config(), [](const std::string& name) { return name; });
  }

  // The same model under llama.cpp's names.
  GgufWriter Gguf() const {
    GgufWriter w;
    w.Text("general.architecture", "bert");
    w.Text("general.name", "Tiny");
    w.U32("bert.block_count", kLayers);
    w.U32("bert.context_length", kPositions);
    w.U32("bert.embedding_length", kHidden);
    w.U32("bert.feed_forward_length", kFfn);
    w.U32("bert.attention.head_count", kHeads);
    w.F32("bert.attention.layer_norm_epsilon", 1e-12f);
    w.Flag("bert.attention.causal", false);
    w.U32("bert.pooling_type", 2);
    for (const auto& [name, values] : tensors) {
      std::vector<uint64_t> axes = ShapeOf(name);
      std::reverse(axes.begin(), axes.end());
      w.Tensor(GgufName(name), axes, 0,
               std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
    }
    return w;
  }

  // The last hidden states of each token. `first_position`: the position table's row of token 0.
  std::vector<Row> Hidden(const std::vector<int32_t>& ids, int first_position = 0,
                          bool types = true) const {
    std::vector<Row> h;
    for (size_t t = 0; t < ids.size(); ++t) {
      Row& row = h.emplace_back(kHidden);
      for (size_t i = 0; i < kHidden; ++i) {
        row[i] =
            At("embeddings.word_embeddings.weight", static_cast<size_t>(ids[t]), i) +
            At("embeddings.position_embeddings.weight", t + static_cast<size_t>(first_position), i);
        if (types) row[i] += At("embeddings.token_type_embeddings.weight", 0, i);
      }
      Norm("embeddings.LayerNorm", row);
    }
    for (int i = 0; i < kLayers; ++i) Layer("encoder.layer." + std::to_string(i) + ".", h);
    return h;
  }

  std::map<std::string, Values> tensors;

 private:
  void Add(const std::string& name, int values) {
    std::normal_distribution<float> normal(0, 0.7f);
    Values& out = tensors[name];
    for (int i = 0; i < values; ++i) out.push_back(normal(random_));
  }
  void AddLinear(const std::string& name, int rows, int columns) {
    Add(name + ".weight", rows * columns);
    Add(name + ".bias", rows);
  }
  void AddNorm(const std::string& name) {
    Add(name + ".weight", kHidden);
    Add(name + ".bias", kHidden);
  }

  std::vector<uint64_t> ShapeOf(const std::string& name) const {
    const uint64_t values = tensors.at(name).size();
    const bool vector = name.ends_with(".bias") || name.find("LayerNorm") != std::string::npos;
    if (vector) return {values};
    const uint64_t columns = name.ends_with("output.dense.weight") && values == kHidden * kFfn
                                 ? uint64_t{kFfn}
                                 : uint64_t{kHidden};
    return {values / columns, columns};
  }

  static std::string GgufName(std::string name) {
    const std::vector<std::pair<std::string, std::string>> parts = {
        {"embeddings.word_embeddings.weight", "token_embd.weight"},
        {"embeddings.position_embeddings.weight", "position_embd.weight"},
        {"embeddings.token_type_embeddings.weight", "token_types.weight"},
        {"embeddings.LayerNorm", "token_embd_norm"},
        {"encoder.layer.", "blk."},
        {"attention.self.query", "attn_q"},
        {"attention.self.key", "attn_k"},
        {"attention.self.value", "attn_v"},
        {"attention.output.dense", "attn_output"},
        {"attention.output.LayerNorm", "attn_output_norm"},
        {"intermediate.dense", "ffn_up"},
        {"output.dense", "ffn_down"},
        {"output.LayerNorm", "layer_output_norm"}};
    for (const auto& [from, to] : parts) {
      const size_t at = name.find(from);
      if (at != std::string::npos) name.replace(at, from.size(), to);
    }
    return name;
  }

  double At(const std::string& name, size_t row, size_t column) const {
    return tensors.at(name).at(row * kHidden + column);
  }

  void Norm(const std::string& name, Row& row) const {
    double mean = 0, variance = 0;
    for (const double v : row) mean += v / kHidden;
    for (const double v : row) variance += (v - mean) * (v - mean) / kHidden;
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = (row[i] - mean) / std::sqrt(variance + 1e-12) * tensors.at(name + ".weight")[i] +
               tensors.at(name + ".bias")[i];
    }
  }

  Row Linear(const std::string& name, const Row& x) const {
    const Values &weight = tensors.at(name + ".weight"), &bias = tensors.at(name + ".bias");
    Row out(bias.begin(), bias.end());
    for (size_t r = 0; r < out.size(); ++r) {
      for (size_t i = 0; i < x.size(); ++i) out[r] += weight[r * x.size() + i] * x[i];
    }
    return out;
  }

  void Layer(const std::string& name, std::vector<Row>& h) const {
    constexpr size_t kHeadDim = kHidden / kHeads;
    std::vector<Row> q, k, v;
    for (const Row& row : h) {
      q.push_back(Linear(name + "attention.self.query", row));
      k.push_back(Linear(name + "attention.self.key", row));
      v.push_back(Linear(name + "attention.self.value", row));
    }
    for (size_t t = 0; t < h.size(); ++t) {
      Row attended(kHidden);
      for (size_t first = 0; first < kHidden; first += kHeadDim) {
        Row weights;
        double sum = 0;
        for (const Row& key : k) {
          double s = 0;
          for (size_t i = first; i < first + kHeadDim; ++i) s += q[t][i] * key[i];
          weights.push_back(std::exp(s / std::sqrt(double{kHeadDim})));
          sum += weights.back();
        }
        for (size_t j = 0; j < v.size(); ++j) {
          for (size_t i = first; i < first + kHeadDim; ++i) {
            attended[i] += weights[j] / sum * v[j][i];
          }
        }
      }
      AddAndNorm(h[t], Linear(name + "attention.output.dense", attended),
                 name + "attention.output.LayerNorm");
      Row up = Linear(name + "intermediate.dense", h[t]);
      for (double& x : up) x = 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
      AddAndNorm(h[t], Linear(name + "output.dense", up), name + "output.LayerNorm");
    }
  }

  void AddAndNorm(Row& row, const Row& branch, const std::string& norm) const {
    for (size_t i = 0; i < row.size(); ++i) row[i] += branch[i];
    Norm(norm, row);
  }

  std::mt19937 random_{7};
};

}  // namespace tenon::models::testing
