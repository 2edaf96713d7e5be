// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "models/testing/recorder.h"

namespace tenon::models::testing {

// Runs what a model emitted, one op after the other, exactly as tenon/ops.h words it, for one
// sequence from position 0. Slow and obvious: it shows whether the emission computes the model.
class Interpreter {
 public:
  using Row = std::vector<float>;

  // Logits of each of the tokens.
  static std::vector<Row> Logits(const Recorder& program, uint32_t logits,
                                 const std::vector<int32_t>& tokens) {
    Interpreter run(program, tokens);
    for (const Recorder::Kept& node : program.nodes) run.Step(node);
    return run.values_[logits];
  }

 private:
  Interpreter(const Recorder& program, const std::vector<int32_t>& tokens) : tokens_(tokens) {
    for (const Recorder::KeptValue& value : program.values) {
      values_.emplace_back(tokens.size(), Row(static_cast<size_t>(value.columns)));
    }
  }

  float* At(const Operand& operand, size_t row) {
    return values_.at(operand.value).at(row).data() + operand.first_column;
  }

  static Row WeightRow(const Weight& weight, int64_t row) {
    Row out(static_cast<size_t>(weight.tensor.columns));
    const char* data = static_cast<const char*>(weight.tensor.data) + row * weight.row_bytes;
    cpu::Dequantize(cpu::Isa::kGeneric, weight.tensor.dtype, data, weight.tensor.columns,
                    out.data());
    return out;
  }

  void Step(const Recorder::Kept& node) {
    if (node.kind == kLinear) return Linear(node);
    if (node.kind == kAttention) return Attention(node);
    for (size_t t = 0; t < tokens_.size(); ++t) {
      if (node.kind == kEmbed) {
        Embed(node, t);
      } else if (node.kind == kRmsNorm) {
        Norm(node, t);
      } else if (node.kind == kRope) {
        Rope(node, t);
      } else {
        Elementwise(node, t);
      }
    }
  }

  void Embed(const Recorder::Kept& node, size_t t) {
    const Row row = WeightRow(node.weights.at(0), tokens_[t]);
    float* out = At(node.outputs.at(0), t);
    for (size_t i = 0; i < row.size(); ++i) out[i] = row[i] * node.Params<EmbedParams>().scale;
  }

  void Norm(const Recorder::Kept& node, size_t t) {
    const RmsNormParams params = node.Params<RmsNormParams>();
    const Row weight = WeightRow(node.weights.at(0), 0);
    const float* in = At(node.inputs.at(0), t);
    float* out = At(node.outputs.at(0), t);
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

  void Rope(const Recorder::Kept& node, size_t t) {
    const RopeParams params = node.Params<RopeParams>();
    const Row frequency = WeightRow(node.weights.at(0), 0);
    const bool halves = params.pairs == RopePairs::kHalves;
    for (int32_t head = 0; head < params.heads; ++head) {
      float* x = At(node.outputs.at(0), t) + head * params.head_dim;
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
    float* out = At(to, t);
    const float* a = At(node.inputs.at(0), t);
    const float* b = At(node.inputs.back(), t);
    for (int32_t i = 0; i < to.columns; ++i) {
      if (node.kind == kAdd) {
        out[i] = a[i] + b[i];
      } else if (node.kind == kGatherRows) {
        out[i] = a[i];
      } else if (node.kind == kSoftCap) {
        out[i] =
            node.Params<SoftCapParams>().cap * std::tanh(a[i] / node.Params<SoftCapParams>().cap);
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
        bias = WeightRow(node.weights.at(static_cast<size_t>(params.matrices + m)), 0);
      }
      for (int64_t r = 0; r < matrix.tensor.rows; ++r, ++column) {
        const Row row = WeightRow(matrix, r);
        for (size_t t = 0; t < tokens_.size(); ++t) {
          const float* x = At(node.inputs.at(0), t);
          double sum = bias[static_cast<size_t>(r)];
          for (size_t i = 0; i < row.size(); ++i) sum += double{x[i]} * row[i];
          if (params.has_residual != 0) sum += At(node.inputs.at(1), t)[column];
          At(node.outputs.at(0), t)[column] = static_cast<float>(sum);
        }
      }
    }
    TENON_CHECK(column == node.outputs.at(0).columns);
  }

  void Attention(const Recorder::Kept& node) {
    const AttentionParams params = node.Params<AttentionParams>();
    for (int32_t head = 0; head < params.heads; ++head) {
      for (size_t t = 0; t < tokens_.size(); ++t) AttendHead(node, params, head, t);
    }
  }

  void AttendHead(const Recorder::Kept& node, const AttentionParams& params, int32_t head,
                  size_t t) {
    const int32_t group = head * params.kv_heads / params.heads;
    const size_t window = static_cast<size_t>(params.window);
    const size_t first = window > 0 && t + 1 > window ? t + 1 - window : 0;
    const float* q = At(node.inputs.at(0), t) + head * params.head_dim;
    std::vector<double> weights;
    double sum = 0;
    for (size_t j = first; j <= t; ++j) {
      const float* k = At(node.inputs.at(1), j) + group * params.head_dim;
      double s = 0;
      for (int32_t i = 0; i < params.head_dim; ++i) s += double{q[i]} * k[i];
      s *= params.scale;
      if (params.soft_cap > 0) s = params.soft_cap * std::tanh(s / params.soft_cap);
      weights.push_back(std::exp(s));
      sum += weights.back();
    }
    float* out = At(node.outputs.at(0), t) + head * params.value_dim;
    for (int32_t i = 0; i < params.value_dim; ++i) {
      double value = 0;
      for (size_t j = first; j <= t; ++j) {
        value += weights[j - first] * At(node.inputs.at(2), j)[group * params.value_dim + i];
      }
      out[i] = static_cast<float>(value / sum);
    }
  }

  const std::vector<int32_t>& tokens_;
  std::vector<std::vector<Row>> values_;  // [value][row][column]
};

}  // namespace tenon::models::testing
