// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/dequantize.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

constexpr float kLeast = -std::numeric_limits<float>::infinity();

// What is compared: a NaN, which has no order, counts as the least.
float Comparable(float score) { return std::isnan(score) ? kLeast : score; }

// The `count` largest of the keys offered, in descending order; of equal ones the first offered.
class Best {
 public:
  Best(int32_t* numbers, float* keys, int32_t count)
      : numbers_(numbers), keys_(keys), count_(count) {}

  void Offer(int32_t number, float key) {
    if (size_ == count_ && !(key > keys_[size_ - 1])) return;
    int32_t at = size_ < count_ ? size_++ : size_ - 1;
    for (; at > 0 && key > keys_[at - 1]; --at) {
      keys_[at] = keys_[at - 1];
      numbers_[at] = numbers_[at - 1];
    }
    keys_[at] = key;
    numbers_[at] = number;
  }

 private:
  int32_t* const numbers_;
  float* const keys_;
  const int32_t count_;
  int32_t size_ = 0;
};

// scores[i] = e^(x[i] - max x) / Σ e^(x - max x); all NaN where an x is NaN or none is finite.
void Softmax(const float* x, int32_t count, float* scores) {
  float largest = kLeast;
  for (int32_t i = 0; i < count; ++i) largest = std::max(largest, Comparable(x[i]));
  float sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += scores[i] = std::exp(x[i] - largest);
  for (int32_t i = 0; i < count; ++i) scores[i] /= sum;
}

class Route final : public BaseOp {
 public:
  // `bias` is [experts], or null.
  Route(const RouteParams& params, const float* bias, const OpSpec& spec)
      : params_(params),
        bias_(bias),
        logits_(spec.inputs[0]),
        experts_(spec.outputs[0]),
        weights_(spec.outputs[1]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, logits_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      int32_t* experts = reinterpret_cast<int32_t*>(RowOf(experts_, t));
      float scores[kMaxExperts], keys[kMaxExperts];
      Score(RowOf(logits_, t), scores);
      Choose(scores, keys, experts);
      Weigh(scores, experts, RowOf(weights_, t));
    }
  }

 private:
  void Score(const float* logits, float* scores) const {
    const int32_t count = params_.experts;
    switch (params_.score) {
      case RouteScore::kSoftmax:
        return Softmax(logits, count, scores);
      case RouteScore::kSigmoid:
        for (int32_t e = 0; e < count; ++e) scores[e] = 1.0f / (1.0f + std::exp(-logits[e]));
        return;
      case RouteScore::kSoftmaxChosen:
        std::copy(logits, logits + count, scores);
    }
  }

  float KeyOf(const float* scores, int32_t expert) const {
    return Comparable(bias_ == nullptr ? scores[expert] : scores[expert] + bias_[expert]);
  }

  float GroupKey(const float* scores, int32_t first, int32_t size) const {
    float best = kLeast, second = kLeast;
    for (int32_t e = first; e < first + size; ++e) {
      const float key = KeyOf(scores, e);
      second = std::max(second, std::min(best, key));
      best = std::max(best, key);
    }
    return params_.group_score == GroupScore::kBest ? best : Comparable(best + second);
  }

  // `keys` is room for the comparisons; a NaN never keeps `experts` from being all filled.
  void Choose(const float* scores, float* keys, int32_t* experts) const {
    Best best(experts, keys, params_.chosen);
    if (params_.groups == 1) {
      for (int32_t e = 0; e < params_.experts; ++e) best.Offer(e, KeyOf(scores, e));
      return;
    }
    int32_t groups[kMaxExperts];
    Best best_groups(groups, keys, params_.kept_groups);
    const int32_t size = params_.experts / params_.groups;
    for (int32_t g = 0; g < params_.groups; ++g) {
      best_groups.Offer(g, GroupKey(scores, g * size, size));
    }
    std::sort(groups, groups + params_.kept_groups);  // ties go to the lower expert
    for (int32_t i = 0; i < params_.kept_groups; ++i) {
      for (int32_t e = groups[i] * size; e < (groups[i] + 1) * size; ++e) {
        best.Offer(e, KeyOf(scores, e));
      }
    }
  }

  void Weigh(const float* scores, const int32_t* experts, float* weights) const {
    const int32_t count = params_.chosen;
    for (int32_t j = 0; j < count; ++j) weights[j] = scores[experts[j]];
    if (params_.score == RouteScore::kSoftmaxChosen) Softmax(weights, count, weights);
    float sum = 1;
    if (params_.normalise != 0) {
      sum = 0;
      for (int32_t j = 0; j < count; ++j) sum += weights[j];
      if (sum == 0) sum = 1;  // scores that are too small for f32: weights of 0
    }
    for (int32_t j = 0; j < count; ++j) weights[j] = weights[j] / sum * params_.scale;
  }

  const RouteParams params_;
  const float* const bias_;
  const Buffer logits_;
  const Buffer experts_;
  const Buffer weights_;
};

void CheckChoice(const OpSpec& spec, const RouteParams& p) {
  if (p.experts < 1 || p.experts > kMaxExperts || p.chosen < 1 || p.chosen > p.experts) {
    Refuse(spec, Status::kInvalid,
           std::to_string(p.chosen) + " of " + std::to_string(p.experts) +
               " experts are to be chosen; 1 to all of at most " + std::to_string(kMaxExperts) +
               " can be");
  }
  if (p.groups < 1 || p.experts % p.groups != 0 || p.kept_groups < 1 || p.kept_groups > p.groups) {
    Refuse(spec, Status::kInvalid,
           std::to_string(p.kept_groups) + " of " + std::to_string(p.groups) +
               " groups are to be kept; 1 to all of a number that divides " +
               std::to_string(p.experts) + " experts needed");
  }
  const int32_t size = p.experts / p.groups;
  if (p.groups > 1 && p.chosen > p.kept_groups * size) {
    Refuse(spec, Status::kInvalid,
           std::to_string(p.chosen) + " experts are to be chosen; the kept groups have " +
               std::to_string(p.kept_groups * size));
  }
  if (p.groups > 1 && p.group_score == GroupScore::kBestTwo && size < 2) {
    Refuse(spec, Status::kInvalid, "the two best of groups of 1 expert are asked for");
  }
}

void CheckScores(const OpSpec& spec, const RouteParams& p) {
  if (static_cast<uint32_t>(p.score) > 2 || static_cast<uint32_t>(p.group_score) > 1) {
    Refuse(spec, Status::kUnsupported,
           "score is number " + std::to_string(static_cast<uint32_t>(p.score)) +
               ", group_score number " + std::to_string(static_cast<uint32_t>(p.group_score)) +
               "; 0 to 2 and 0 to 1 are known");
  }
  if (!std::isfinite(p.scale)) {
    Refuse(spec, Status::kInvalid,
           "scale is " + std::to_string(p.scale) + "; a finite number needed");
  }
}

void CheckColumns(const OpSpec& spec, const Buffer& buffer, const char* which, int32_t columns) {
  if (buffer.columns == columns) return;
  Refuse(spec, Status::kInvalid,
         std::string(which) + " has " + std::to_string(buffer.columns) + " columns; " +
             std::to_string(columns) + " needed");
}

}  // namespace

std::unique_ptr<BaseOp> PlanRoute(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  const bool has_bias = spec.weights.size == 1;
  CheckOperands(spec, {1, 2, has_bias ? 1u : 0u, 1});
  CheckSameRows(spec);
  const RouteParams params = CheckedParams<RouteParams>(spec);
  CheckChoice(spec, params);
  CheckScores(spec, params);
  CheckColumns(spec, spec.inputs[0], "input 0", params.experts);
  CheckColumns(spec, spec.outputs[0], "output 0", params.chosen);
  CheckColumns(spec, spec.outputs[1], "output 1", params.chosen);
  float* bias = nullptr;
  if (has_bias) {
    CheckWeight(spec, 0, 1, params.experts);
    const uint64_t bytes = sizeof(float) * static_cast<uint64_t>(params.experts);
    bias = static_cast<float*>(context.memory->Allocate(bytes));
    if (bias == nullptr) Refuse(spec, Status::kOutOfMemory, "no memory for its bias");
    const Tensor& stored = spec.weights[0].tensor;
    Dequantize(context.isa, stored.dtype, stored.data, params.experts, bias);
    out->weight_bytes = bytes;
  }
  out->split = Split::kRows;
  return std::make_unique<Route>(params, bias, spec);
}

}  // namespace tenon::cpu
