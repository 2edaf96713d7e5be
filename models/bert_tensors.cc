// SPDX-License-Identifier: Apache-2.0
#include "models/bert_tensors.h"

#include <initializer_list>
#include <string>

#include "kernels/cpu/dequantize.h"

namespace tenon::models {
namespace {

class EncoderBinder {
 public:
  EncoderBinder(const EncoderSpec& spec, TensorBinder& binder)
      : hidden_(spec.hidden), binder_(binder) {
    const std::string embedding(spec.names.embedding);
    if (!binder.Has(embedding + ".weight")) prefix_ = spec.names.prefix;
  }

  void EnterLayer(std::string_view pattern, int32_t layer) {
    layer_ = pattern;
    const size_t at = layer_.find("{}");
    if (at != std::string::npos) layer_.replace(at, 2, std::to_string(layer));
  }

  Weight Matrix(std::string_view name, int64_t rows) {
    return binder_.Matrix(Name(name) + ".weight", rows, hidden_);
  }

  LinearWeights Linear(std::initializer_list<std::string_view> names, int64_t rows,
                       int64_t columns) {
    LinearWeights out;
    for (const std::string_view name : names) {
      out.matrices.push_back(binder_.Matrix(Name(name) + ".weight", rows, columns));
      out.biases.push_back(binder_.Vector(Name(name) + ".bias", rows));
    }
    return out;
  }

  NormWeights Norm(std::string_view name) {
    const std::string full = Name(name);
    const bool old_names = binder_.Has(full + ".gamma");
    return {binder_.Vector(full + (old_names ? ".gamma" : ".weight"), hidden_),
            binder_.Vector(full + (old_names ? ".beta" : ".bias"), hidden_)};
  }

  // A module that may be there, with its prefix or without.
  void Ignore(std::string_view name) {
    for (const std::string_view prefix : {std::string_view(), std::string_view(prefix_)}) {
      for (const char* ending : {"", ".weight", ".bias", ".gamma", ".beta"}) {
        binder_.Ignore(std::string(prefix) + std::string(name) + ending);
      }
    }
  }

 private:
  std::string Name(std::string_view name) const { return prefix_ + layer_ + std::string(name); }

  const int64_t hidden_;
  TensorBinder& binder_;
  std::string prefix_;
  std::string layer_;
};

}  // namespace

EncoderTensors BindEncoder(const EncoderSpec& spec, TensorBinder& binder) {
  const EncoderNames& n = spec.names;
  EncoderBinder take(spec, binder);
  EncoderTensors out{};
  out.embedding = take.Matrix(n.embedding, spec.vocabulary);
  out.positions = take.Matrix(n.positions, spec.position_rows);
  if (out.positions.tensor.data != nullptr) {
    Tensor& rows = out.positions.tensor;
    rows.data =
        static_cast<const char*>(rows.data) + out.positions.row_bytes * spec.position_offset;
    rows.rows -= spec.position_offset;
  }
  if (!n.token_types.empty()) out.token_types = take.Matrix(n.token_types, spec.token_types);
  out.embedding_norm = take.Norm(n.embedding_norm);
  for (const std::string_view name : n.ignored) take.Ignore(name);
  for (int32_t layer = 0; layer < spec.layers; ++layer) {
    take.EnterLayer(n.layer, layer);
    EncoderLayerTensors& tensors = out.layers.emplace_back();
    tensors.qkv = take.Linear({n.q, n.k, n.v}, spec.hidden, spec.hidden);
    tensors.output = take.Linear({n.output}, spec.hidden, spec.hidden);
    tensors.attention_norm = take.Norm(n.attention_norm);
    tensors.up = take.Linear({n.up}, spec.ffn, spec.hidden);
    tensors.down = take.Linear({n.down}, spec.hidden, spec.ffn);
    tensors.ffn_norm = take.Norm(n.ffn_norm);
  }
  return out;
}

std::vector<float> FoldPositions(const EncoderTensors& tensors) {
  const Tensor& positions = tensors.positions.tensor;
  const Tensor& types = tensors.token_types.tensor;
  const auto columns = static_cast<size_t>(positions.columns);
  std::vector<float> type(columns);
  if (types.data != nullptr) {
    cpu::Dequantize(cpu::Isa::kGeneric, types.dtype, types.data, positions.columns, type.data());
  }
  std::vector<float> out(static_cast<size_t>(positions.rows) * columns);
  for (int64_t row = 0; row < positions.rows; ++row) {
    float* to = out.data() + static_cast<size_t>(row) * columns;
    cpu::Dequantize(cpu::Isa::kGeneric, positions.dtype,
                    static_cast<const char*>(positions.data) + row * tensors.positions.row_bytes,
                    positions.columns, to);
    for (size_t i = 0; i < columns; ++i) to[i] += type[i];
  }
  return out;
}

}  // namespace tenon::models
