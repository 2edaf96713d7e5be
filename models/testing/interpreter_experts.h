// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "models/testing/interpreter_values.h"
#include "tenon/ops.h"

// The formulas of tenon/ops.h for experts, a row at a time in double precision.
namespace tenon::models::testing {

struct Routed {
  int32_t expert;
  double weight;
};

inline std::vector<double> Scores(RouteScore score, const float* logits, int32_t count) {
  std::vector<double> out(logits, logits + count);
  if (score == RouteScore::kSigmoid) {
    for (double& s : out) s = 1 / (1 + std::exp(-s));
  } else if (score == RouteScore::kSoftmax) {
    double sum = 0;
    for (double& s : out) sum += s = std::exp(s);
    for (double& s : out) s /= sum;
  }
  return out;
}

// The indices of the `count` largest, ties to the lower one, in descending order.
inline std::vector<int32_t> Largest(const std::vector<double>& values, int32_t count) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < values.size(); ++i) order.push_back(static_cast<int32_t>(i));
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(count));
  return order;
}

// What remains of the choice when only the best groups are kept: -infinity for the others.
inline std::vector<double> InKeptGroups(const RouteParams& params, std::vector<double> choice) {
  const auto members = static_cast<std::ptrdiff_t>(params.experts / params.groups);
  std::vector<double> groups;
  for (int32_t g = 0; g < params.groups; ++g) {
    std::vector<double> own(choice.begin() + g * members, choice.begin() + (g + 1) * members);
    std::sort(own.rbegin(), own.rend());
    groups.push_back(params.group_score == GroupScore::kBestTwo ? own.at(0) + own.at(1)
                                                                : own.at(0));
  }
  const std::vector<int32_t> kept = Largest(groups, params.kept_groups);
  for (int32_t g = 0; g < params.groups; ++g) {
    if (std::find(kept.begin(), kept.end(), g) != kept.end()) continue;
    std::fill_n(choice.begin() + g * members, members, -INFINITY);
  }
  return choice;
}

inline std::vector<Routed> RouteRow(const RouteParams& params, const float* logits,
                                    const std::vector<float>& bias) {
  const std::vector<double> scores = Scores(params.score, logits, params.experts);
  std::vector<double> choice = scores;
  for (size_t i = 0; i < choice.size(); ++i) choice[i] += bias[i];
  if (params.groups > 1) choice = InKeptGroups(params, std::move(choice));
  std::vector<Routed> out;
  double sum = 0;
  for (const int32_t expert : Largest(choice, params.chosen)) {
    const double s = scores[static_cast<size_t>(expert)];
    out.push_back({expert, params.score == RouteScore::kSoftmaxChosen ? std::exp(s) : s});
    sum += out.back().weight;
  }
  const bool divide = params.normalise != 0 || params.score == RouteScore::kSoftmaxChosen;
  for (Routed& routed : out) routed.weight *= params.scale / (divide ? sum : 1);
  return out;
}

inline float ClampedGlu(const ClampedGluParams& params, float gate, float up) {
  const double g = std::min(gate, params.limit);
  const double u = std::clamp(up, -params.limit, params.limit);
  return static_cast<float>((u + 1) * g / (1 + std::exp(-double{params.alpha} * g)));
}

inline void Route(InterpreterValues& v, const Recorder::Kept& node, size_t t) {
  const RouteParams params = node.Params<RouteParams>();
  InterpreterValues::Row bias(static_cast<size_t>(params.experts));
  if (!node.weights.empty()) bias = InterpreterValues::WeightRow(node.weights[0], 0);
  const std::vector<Routed> chosen = RouteRow(params, v.At(node.inputs.at(0), t), bias);
  for (size_t j = 0; j < chosen.size(); ++j) {
    v.At(node.outputs.at(0), t)[j] = static_cast<float>(chosen[j].expert);
    v.At(node.outputs.at(1), t)[j] = static_cast<float>(chosen[j].weight);
  }
}

inline void Combine(InterpreterValues& v, const Recorder::Kept& node, size_t t) {
  const CombineParams params = node.Params<CombineParams>();
  const Operand& to = node.outputs.at(0);
  for (int32_t i = 0; i < to.columns; ++i) {
    double sum = params.has_base != 0 ? v.At(node.inputs.at(2), t)[i] : 0.0;
    for (int32_t j = 0; j < params.slots; ++j) {
      const double w = v.At(node.inputs.at(1), t)[j];
      sum += (params.sigmoid != 0 ? 1 / (1 + std::exp(-w)) : w) *
             v.At(node.inputs.at(0), t)[j * to.columns + i];
    }
    v.At(to, t)[i] = static_cast<float>(sum);
  }
}

// One slot's product with matrix `at`, to the columns from `column` on.
inline void ExpertProduct(InterpreterValues& v, const Recorder::Kept& node,
                          const GroupedLinearParams& params, size_t at, int32_t slot, size_t t,
                          int32_t column) {
  const Weight& matrix = node.weights.at(at);
  const float* x = v.At(node.inputs.at(0), t);
  if (params.input_by_slot != 0) x += slot * matrix.tensor.columns;
  InterpreterValues::Row bias(static_cast<size_t>(matrix.tensor.rows));
  const size_t matrices = static_cast<size_t>(params.matrices * params.experts);
  if (params.has_bias != 0) bias = InterpreterValues::WeightRow(node.weights.at(matrices + at), 0);
  for (int64_t r = 0; r < matrix.tensor.rows; ++r) {
    const InterpreterValues::Row row = InterpreterValues::WeightRow(matrix, r);
    double sum = bias.at(static_cast<size_t>(r));
    for (size_t i = 0; i < row.size(); ++i) sum += double{x[i]} * row[i];
    v.At(node.outputs.at(0), t)[column + r] = static_cast<float>(sum);
  }
}

inline void GroupedLinear(InterpreterValues& v, const Recorder::Kept& node) {
  const GroupedLinearParams params = node.Params<GroupedLinearParams>();
  const int32_t matrices = params.matrices * params.experts;
  TENON_CHECK(static_cast<int32_t>(node.weights.size()) ==
              matrices * (params.has_bias != 0 ? 2 : 1));
  int32_t column = 0;
  for (int32_t m = 0; m < params.matrices; ++m) {
    for (int32_t slot = 0; slot < params.slots; ++slot) {
      for (size_t t = 0; t < v.Tokens(); ++t) {
        const bool fixed = node.inputs.size() == 1;
        const int32_t e = fixed ? slot : static_cast<int32_t>(v.At(node.inputs[1], t)[slot]);
        const size_t at = static_cast<size_t>(m * params.experts + e);
        ExpertProduct(v, node, params, at, slot, t, column);
      }
      column +=
          static_cast<int32_t>(node.weights[static_cast<size_t>(m * params.experts)].tensor.rows);
    }
  }
  TENON_CHECK(column == node.outputs.at(0).columns);
}

}  // namespace tenon::models::testing
