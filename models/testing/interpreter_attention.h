// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

#include "models/testing/interpreter_values.h"
#include "tenon/ops.h"

// The attention ops of tenon/ops.h for one sequence from position 0.
namespace tenon::models::testing {

inline void AttendHead(InterpreterValues& v, const Recorder::Kept& node,
                       const AttentionParams& params, int32_t head, size_t t) {
  const int32_t group = head * params.kv_heads / params.heads;
  const size_t window = static_cast<size_t>(params.window);
  const size_t first = window > 0 && t + 1 > window ? t + 1 - window : 0;
  const float* q = v.At(node.inputs.at(0), t) + head * params.head_dim;
  std::vector<double> weights;
  double sum = 0;
  if (params.has_sinks != 0) {
    sum = std::exp(
        double{InterpreterValues::WeightRow(node.weights.at(0), 0).at(static_cast<size_t>(head))});
  }
  for (size_t j = first; j <= t; ++j) {
    const float* k = v.At(node.inputs.at(1), j) + group * params.head_dim;
    double s = 0;
    for (int32_t i = 0; i < params.head_dim; ++i) s += double{q[i]} * k[i];
    s *= params.scale;
    if (params.soft_cap > 0) s = params.soft_cap * std::tanh(s / params.soft_cap);
    weights.push_back(std::exp(s));
    sum += weights.back();
  }
  float* out = v.At(node.outputs.at(0), t) + head * params.value_dim;
  for (int32_t i = 0; i < params.value_dim; ++i) {
    double value = 0;
    for (size_t j = first; j <= t; ++j) {
      value += weights[j - first] * v.At(node.inputs.at(2), j)[group * params.value_dim + i];
    }
    out[i] = static_cast<float>(value / sum);
  }
}

inline void Attention(InterpreterValues& v, const Recorder::Kept& node) {
  const AttentionParams params = node.Params<AttentionParams>();
  for (int32_t head = 0; head < params.heads; ++head) {
    for (size_t t = 0; t < v.Tokens(); ++t) AttendHead(v, node, params, head, t);
  }
}

inline void LatentAttention(InterpreterValues& v, const Recorder::Kept& node) {
  const LatentAttentionParams params = node.Params<LatentAttentionParams>();
  const auto product = [](const float* a, const float* b, int32_t size) {
    double sum = 0;
    for (int32_t i = 0; i < size; ++i) sum += double{a[i]} * b[i];
    return sum;
  };
  for (int32_t head = 0; head < params.heads; ++head) {
    for (size_t t = 0; t < v.Tokens(); ++t) {
      std::vector<double> weights, out(static_cast<size_t>(params.rank));
      double sum = 0;
      for (size_t j = 0; j <= t; ++j) {
        const double s = product(v.At(node.inputs.at(0), t) + head * params.rank,
                                 v.At(node.inputs.at(2), j), params.rank) +
                         product(v.At(node.inputs.at(1), t) + head * params.rope_dim,
                                 v.At(node.inputs.at(3), j), params.rope_dim);
        weights.push_back(std::exp(s * params.scale));
        sum += weights.back();
      }
      for (size_t i = 0; i < out.size(); ++i) {
        for (size_t j = 0; j <= t; ++j) out[i] += weights[j] * v.At(node.inputs.at(2), j)[i];
        v.At(node.outputs.at(0), t)[head * params.rank + static_cast<int32_t>(i)] =
            static_cast<float>(out[i] / sum);
      }
    }
  }
}

inline void Bidirectional(InterpreterValues& v, const Recorder::Kept& node) {
  const BidirectionalAttentionParams params = node.Params<BidirectionalAttentionParams>();
  for (int32_t head = 0; head < params.heads; ++head) {
    const int32_t at = head * params.head_dim;
    const int32_t kv_at = head * params.kv_heads / params.heads * params.head_dim;
    for (size_t t = 0; t < v.Tokens(); ++t) {
      std::vector<double> weights, out(static_cast<size_t>(params.head_dim));
      double sum = 0;
      for (size_t j = 0; j < v.Tokens(); ++j) {
        double s = 0;
        for (int32_t i = 0; i < params.head_dim; ++i) {
          s += double{v.At(node.inputs.at(0), t)[at + i]} * v.At(node.inputs.at(1), j)[kv_at + i];
        }
        weights.push_back(std::exp(s * params.scale));
        sum += weights.back();
      }
      for (size_t i = 0; i < out.size(); ++i) {
        for (size_t j = 0; j < v.Tokens(); ++j) {
          out[i] += weights[j] * v.At(node.inputs.at(2), j)[kv_at + static_cast<int32_t>(i)];
        }
        v.At(node.outputs.at(0), t)[at + static_cast<int32_t>(i)] =
            static_cast<float>(out[i] / sum);
      }
    }
  }
}

}  // namespace tenon::models::testing
