// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

#include "models/testing/interpreter_attention.h"
#include "models/testing/interpreter_experts.h"
#include "models/testing/interpreter_values.h"
#include "models/testing/recorder.h"

namespace tenon::models::testing {

// Runs what a model emitted, one op after the other, exactly as tenon/ops.h words it, for one
// sequence from position 0. Slow and obvious: it shows whether the emission computes the model.
class Interpreter {
 public:
  using Row = InterpreterValues::Row;

  // Logits of each of the tokens.
  static std::vector<Row> Logits(const Recorder& program, uint32_t logits,
                                 const std::vector<int32_t>& tokens) {
    Interpreter run(program, tokens);
    for (const Recorder::Kept& node : program.nodes) run.Step(node);
    return run.v_.Rows(logits);
  }

 private:
  Interpreter(const Recorder& program, const std::vector<int32_t>& tokens)
      : tokens_(tokens), v_(program, tokens.size()) {}

  void Step(const Recorder::Kept& node) {
    if (node.kind == kLinear) return Linear(node);
    if (node.kind == kGroupedLinear) return testing::GroupedLinear(v_, node);
    if (node.kind == kAttention) return testing::Attention(v_, node);
    if (node.kind == kLatentAttention) return testing::LatentAttention(v_, node);
    if (node.kind == kBidirectionalAttention) return testing::Bidirectional(v_, node);
    for (size_t t = 0; t < tokens_.size(); ++t) {
      if (node.kind == kEmbed) {
        Embed(node, t);
      } else if (node.kind == kRmsNorm) {
        Norm(node, t);
      } else if (node.kind == kRope) {
        Rope(node, t);
      } else if (node.kind == kRoute) {
        testing::Route(v_, node, t);
      } else if (node.kind == kCombine) {
        testing::Combine(v_, node, t);
      } else if (node.kind == kLayerNorm) {
        LayerNorm(node, t);
      } else if (node.kind == kEmbedPositions) {
        EmbedPositions(node, t);
      } else {
        Elementwise(node, t);
      }
    }
  }

  void Embed(const Recorder::Kept& node, size_t t) {
    const Row row = InterpreterValues::WeightRow(node.weights.at(0), tokens_[t]);
    float* out = v_.At(node.outputs.at(0), t);
    for (size_t i = 0; i < row.size(); ++i) out[i] = row[i] * node.Params<EmbedParams>().scale;
  }

  void Norm(const Recorder::Kept& node, size_t t) {
    const RmsNormParams params = node.Params<RmsNormParams>();
    const Row weight = InterpreterValues::WeightRow(node.weights.at(0), 0);
    const float* in = v_.At(node.inputs.at(0), t);
    float* out = v_.At(node.outputs.at(0), t);
    for (int32_t begin = 0; begin < node.inputs[0].columns; begin += params.group) {
      double sum = 0;
      for (int32_t i = 0; i < params.group; ++i) sum += double{in[begin + i]} * in[begin + i];
      const double scale = 1 / std::sqrt(sum / params.group + params.epsilon);
      for (int32_t i = 0; i < params.group; ++i) {
        const float factor = weight.at(static_cast<size_t>(i)) + params.weight_offset;
        out[begin + i] = static_cast<float>(in[begin + i] * scale * factor);
      }
    }
  }

  void LayerNorm(const Recorder::Kept& node, size_t t) {
    const Row weight = InterpreterValues::WeightRow(node.weights.at(0), 0),
              bias = InterpreterValues::WeightRow(node.weights.at(1), 0);
    std::vector<double> z(weight.size());
    double mean = 0, variance = 0;
    for (size_t i = 0; i < z.size(); ++i) {
      for (const Operand& input : node.inputs) z[i] += v_.At(input, t)[i];
      mean += z[i] / static_cast<double>(z.size());
    }
    for (const double v : z) variance += (v - mean) * (v - mean) / static_cast<double>(z.size());
    const double scale = 1 / std::sqrt(variance + node.Params<LayerNormParams>().epsilon);
    float* out = v_.At(node.outputs.at(0), t);
    for (size_t i = 0; i < z.size(); ++i) {
      out[i] = static_cast<float>((z[i] - mean) * scale * weight[i] + bias[i]);
    }
  }

  void EmbedPositions(const Recorder::Kept& node, size_t t) {
    const Row row = InterpreterValues::WeightRow(node.weights.at(0), static_cast<int64_t>(t));
    const float* x = v_.At(node.inputs.at(0), t);
    float* out = v_.At(node.outputs.at(0), t);
    for (size_t i = 0; i < row.size(); ++i) out[i] = x[i] + row[i];
  }

  void Rope(const Recorder::Kept& node, size_t t) {
    const RopeParams params = node.Params<RopeParams>();
    const Row frequency = InterpreterValues::WeightRow(node.weights.at(0), 0);
    const bool halves = params.pairs == RopePairs::kHalves;
    for (int32_t head = 0; head < params.heads; ++head) {
      float* x = v_.At(node.outputs.at(0), t) + head * params.head_dim;
      for (int32_t i = 0; i < params.rotary_dim / 2; ++i) {
        const double angle = double(t) * frequency.at(static_cast<size_t>(i));
        float& a = x[halves ? i : 2 * i];
        float& b = x[halves ? i + params.rotary_dim / 2 : 2 * i + 1];
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = static_cast<float>(b * std::cos(angle) + a * std::sin(angle)) * params.magnitude;
        a = static_cast<float>(turned) * params.magnitude;
      }
    }
  }

  void Elementwise(const Recorder::Kept& node, size_t t) {
    const Operand& to = node.outputs.at(0);
    float* out = v_.At(to, t);
    const float* a = v_.At(node.inputs.at(0), t);
    const float* b = v_.At(node.inputs.back(), t);
    for (int32_t i = 0; i < to.columns; ++i) {
      if (node.kind == kAdd) {
        out[i] = a[i] + b[i];
      } else if (node.kind == kGatherRows) {
        out[i] = a[i];
      } else if (node.kind == kSoftCap) {
        out[i] =
            node.Params<SoftCapParams>().cap * std::tanh(a[i] / node.Params<SoftCapParams>().cap);
      } else if (node.kind == kClampedGlu) {
        out[i] = ClampedGlu(node.Params<ClampedGluParams>(), a[i], b[i]);
      } else if (node.kind == kActivate) {
        out[i] = Activate(node.Params<ActivateParams>().activation, a[i]);
      } else {
        TENON_CHECK(node.kind == kGlu);
        out[i] = Activate(node.Params<GluParams>().activation, a[i]) * b[i];
      }
    }
  }

  static float Activate(Activation activation, float x) {
    if (activation == Activation::kSilu) return x / (1 + std::exp(-x));
    if (activation == Activation::kGelu) return 0.5f * x * (1 + std::erf(x / std::sqrt(2.0f)));
    const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return static_cast<float>(0.5 * x * (1 + std::tanh(inner)));
  }

  void Linear(const Recorder::Kept& node) {
    const LinearParams params = node.Params<LinearParams>();
    int32_t column = 0;
    for (int32_t m = 0; m < params.matrices; ++m) {
      const Weight& matrix = node.weights.at(static_cast<size_t>(m));
      Row bias(static_cast<size_t>(matrix.tensor.rows));
      if (params.has_bias != 0) {
        bias = InterpreterValues::WeightRow(
            node.weights.at(static_cast<size_t>(params.matrices + m)), 0);
      }
      for (int64_t r = 0; r < matrix.tensor.rows; ++r, ++column) {
        const Row row = InterpreterValues::WeightRow(matrix, r);
        for (size_t t = 0; t < tokens_.size(); ++t) {
          const float* x = v_.At(node.inputs.at(0), t);
          double sum = bias[static_cast<size_t>(r)];
          for (size_t i = 0; i < row.size(); ++i) sum += double{x[i]} * row[i];
          if (params.has_residual != 0) sum += v_.At(node.inputs.at(1), t)[column];
          v_.At(node.outputs.at(0), t)[column] = static_cast<float>(sum);
        }
      }
    }
    TENON_CHECK(column == node.outputs.at(0).columns);
  }

  const std::vector<int32_t>& tokens_;
  InterpreterValues v_;
};

}  // namespace tenon::models::testing
