// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// The kinds of op that mixtures of experts are made of, besides those in tenon/ops.h, which
// includes this: `route` gives each token its experts as slots, `grouped_linear` multiplies a
// token's slots with the matrices chosen, `combine` adds them up. x[t] is row t. Arithmetic is f32.
namespace tenon {

// ---- made by the device
// --------------------------------------------------------------------------

// Which experts a token goes to, and with what weight; s = score(logits[t]) is one number an
// expert.
//   choice: the `chosen` experts with the largest s + bias, ties to the lower number, in descending
//     order; with groups > 1 only from the kept_groups groups of experts / groups consecutive
//     experts whose own score is best
//   weight: s of the chosen ones, over their sum if `normalise`, times `scale`
// inputs: {logits [experts]}; outputs: {experts i32 [chosen], weights f32 [chosen]}; weights: {} or
// {bias f32 [1, experts]}. Shazeer et al. 2017, "Outrageously Large Neural Networks"; groups:
// DeepSeek-AI 2024, "DeepSeek-V2", "DeepSeek-V3".
inline constexpr const char* kRoute = "route";
enum class RouteScore : uint32_t {
  kSoftmax = 0,        // over all experts
  kSigmoid = 1,        // of each
  kSoftmaxChosen = 2,  // choice by logits, then softmax over the chosen ones
};
enum class GroupScore : uint32_t {
  kBest = 0,     // the largest s + bias in the group
  kBestTwo = 1,  // the sum of its two largest
};
struct RouteParams {
  int32_t experts;
  int32_t chosen;  // 1 to experts
  int32_t groups;  // 1: none; divides experts
  int32_t kept_groups;
  RouteScore score;
  GroupScore group_score;
  uint32_t normalise;  // 0 or 1
  float scale;
};

// out[t] = (base[t] +) Σ over slots j, ascending, of w[t, j] * y[t, j * columns …], with `sigmoid`
// of sigmoid(w[t, j]) * y;  inputs: {y [slots * columns], w f32 [slots]} or {y, w, base}; out may
// be base.
inline constexpr const char* kCombine = "combine";
struct CombineParams {
  int32_t slots;
  uint32_t sigmoid;   // 0 or 1
  uint32_t has_base;  // 0 or 1
};

// ---- made by quant
// -------------------------------------------------------------------------------

// As kLinear, with matrices that differ from slot to slot of a row:
//   out[t, m, j] = W[m, e] · x[t] (or x[t, j]) (+ bias[m, e]),   e = experts[t, j]
// inputs: {x, experts i32 [slots]}, or {x} alone: then slot j takes matrix j and slots == experts
// (one product a head). x is [columns], the same for all slots, or with `input_by_slot` [slots *
// columns]. outputs: {[for each matrix m: slots runs of its rows]}, so that gate and up lie apart.
// weights: for each m its `experts` matrices [rows of m, columns of a slot], then as many biases
// [1, rows of m] if has_bias. Tokens are sorted by expert: one call for all. Needs
// Capability::kGroupedLinear.
inline constexpr const char* kGroupedLinear = "grouped_linear";
struct GroupedLinearParams {
  int32_t matrices;
  int32_t experts;
  int32_t slots;
  uint32_t input_by_slot;  // 0 or 1
  uint32_t has_bias;       // 0 or 1
};

}  // namespace tenon
