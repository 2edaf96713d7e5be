// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tenon/quant.h"
#include "tenon/testing/stand.h"

// One linear op with its weights, and the formula that it must follow.
namespace tenon::testing {

struct LinearMatrix {
  DType type;
  int64_t rows;
};

struct LinearSetup {
  std::vector<LinearMatrix> matrices = {{DType::kF32, 96}};
  int64_t columns = 256;
  int32_t tokens = 20;
  bool bias = false;
  bool residual = false;
  bool scales = false;  // f32, one for each 32 rows and 64 columns
  int32_t experts = 0;  // above 0: a grouped linear with so many matrices for each
  int32_t slots = 2;    // grouped
  bool routed = true;   // grouped: an input says which expert a slot takes
  bool input_by_slot = false;
  uint64_t seed = 1;
};

class LinearStand {
 public:
  // Plans the op; its memory lives as long as `device`. REQUIRES: `quant` and `device` outlive it.
  LinearStand(Quant* quant, KitDevice& device, const LinearSetup& setup);

  Status status() const { return status_; }
  // Runs the op for the first `tokens` rows; false where the device fails.
  bool Run(int32_t tokens);
  // The same on this thread as the only lane.
  void RunAlone(int32_t tokens);

  // |out - expected| over |expected| of the worst row, both as Euclidean norms over the columns
  // that one matrix gives; infinity where a number is none. |expected| counts as no less than it
  // is for unrelated weights and inputs, so that a few columns which happen to cancel do not count
  // as lost. Of the last Run; bias and residual are taken off first.
  double Worst(int32_t tokens) const;
  // Whether columns between the rows stayed as they were.
  bool WroteOutside() const;
  std::vector<float> Row(int32_t token) const;

  const PlannedOp& planned() const { return planned_; }
  const OpSpec& spec() const { return spec_; }

 private:
  struct Stored {
    const void* bytes;
    const float* scales;         // or null
    std::vector<double> values;  // what it stands for, [rows, columns]
  };
  Stored MakeStored(const LinearMatrix& matrix);
  template <typename T>
  const T* Keep(const std::vector<T>& values);
  void MakeWeights();
  void MakeBiases();
  Buffer MakeBuffer(int64_t columns, DType type = DType::kF32);
  void MakeBuffers();
  void PlanOp();
  const float* InputOf(int32_t token, int32_t slot) const;
  double RowError(int32_t token, int32_t slot, size_t m, int64_t first) const;
  Batch BatchOf(int32_t tokens) const;
  int32_t ExpertOf(int32_t token, int32_t slot) const;
  int32_t Slots() const { return setup_.experts > 0 ? setup_.slots : 1; }

  Quant* quant_;
  KitDevice& device_;
  LinearSetup setup_;
  Status status_ = Status::kInternal;
  int64_t outputs_ = 0;
  std::vector<Stored> stored_;  // matrix m of expert e at m * experts + e
  std::vector<const float*> biases_;
  std::vector<Weight> weights_;
  Buffer x_{}, residual_{}, experts_{}, out_{};
  std::vector<Buffer> inputs_;
  LinearParams params_{};
  GroupedLinearParams grouped_{};
  OpSpec spec_{};
  PlannedOp planned_;
};

}  // namespace tenon::testing
