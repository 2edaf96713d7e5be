// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "plugins/decoding/sampler/vector_exp.h"
#include "tenon/types.h"

namespace tenon::decoding {

// What is done to the logits x before a token is drawn, in this order. m is the largest logit and
// w(x) = exp((x - m) / temperature) a token's weight.
struct Filter {
  double temperature;  // not above 1e-6: the most likely token
  int64_t top_k;       // the k heaviest; not above 0: all
  double top_p;        // the fewest heaviest whose weights add up to p of the sum over those that
                 // top_k left; 1 or more: all of them (Holtzman et al. 2020, nucleus sampling)
  double min_p;  // those with w >= min_p (Nguyen et al. 2024); not above 0: all
};

// The tokens that may be drawn, and how likely each is. Works by threshold: every filter lets pass
// the logits above a value, and of those equal to it the first few by token number. So nothing is
// sorted but the boundary, and no pass needs more than the floats themselves.
//
// NaN counts as -infinity, which is never drawn. With a logit of +infinity, without a logit above
// -infinity, and at temperature 0, it is the arg-max for certain (lowest token of equal ones).
class Selection {
 public:
  static uint64_t ScratchBytes(int64_t vocabulary);

  // `logits` and `scratch` (ScratchBytes, aligned to 64) outlive the selection.
  Selection(Span<const float> logits, const Filter& filter, void* scratch);

  // The token at `u` in [0, 1) of the cumulative distribution in the order of token numbers.
  int32_t Pick(double u) const;

  // Writes each token's probability; `out` may be the logits, which ends the selection.
  void Probabilities(Span<float> out) const;

 private:
  // Passes: x > value, and the first `ties` tokens with x == value.
  struct Cut {
    float value;
    int64_t ties;
  };

  int64_t Blocks() const;
  int64_t BlockEnd(int64_t block) const;
  int64_t GatherAbove(float floor, float* to) const;
  double WeightsOf(const float* values, int64_t count) const;
  Float4 Weight4(Float4 x) const;
  Float4 PassingWeight4(Float4 x, int32_t first_token) const;  // 0 for those that do not pass
  float WeightAt(int32_t token) const;
  int64_t LargestBlocks(int64_t k);
  void TopK(int64_t k);
  void TopP(double p);
  void MinP(double p);
  Cut CutByMass(int64_t count, double target);
  void FindLastTie();
  void AddUp();

  Span<const float> logits_;
  float* block_max_;          // [blocks]
  double* block_mass_;        // [blocks], weight of the tokens that pass
  float* values_;             // [vocabulary], logits under selection
  int64_t value_count_ = -1;  // those that top_k left, in values_; -1: not gathered
  double temperature_;
  float max_ = 0;
  float inverse_temperature_ = 1;
  bool certain_ = false;
  int32_t arg_max_ = 0;
  Cut cut_;
  int32_t last_tie_ = -1;  // tokens equal to cut_.value pass up to this one
  double total_ = 0;
};

}  // namespace tenon::decoding
