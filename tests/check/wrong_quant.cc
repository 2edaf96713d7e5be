// SPDX-License-Identifier: Apache-2.0
// Quant components with one fault each, and one without: f32 weights, read where they lie.
#include <memory>
#include <vector>

#include "tenon/plugin.h"
#include "tenon/quant.h"

namespace {

using namespace tenon;

enum class Fault { kNone, kDropsResidual, kSwapsMatrices, kAddsCompany, kDropsLastColumn };

const float* RowOf(const Buffer& buffer, int32_t row) {
  return reinterpret_cast<const float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
}

template <Fault kFault>
class DotOp final : public Op {
 public:
  explicit DotOp(const OpSpec& spec)
      : inputs_(spec.inputs.begin(), spec.inputs.end()), out_(spec.outputs[0]) {
    const LinearParams& p = ParamsOf<LinearParams>(spec);
    residual_ = p.has_residual != 0 && kFault != Fault::kDropsResidual;
    for (int32_t m = 0; m < p.matrices; ++m) {
      const bool swap = kFault == Fault::kSwapsMatrices && p.matrices > 1;
      weights_.push_back(spec.weights[static_cast<uint64_t>(swap ? p.matrices - 1 - m : m)]);
    }
  }

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange mine = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = mine.begin; t < mine.end; ++t) {
      float* out = const_cast<float*>(RowOf(out_, t));
      int64_t at = 0;
      for (const Weight& weight : weights_) {
        for (int64_t r = 0; r < weight.tensor.rows; ++r, ++at) {
          out[at] =
              Dot(weight, r, RowOf(inputs_[0], t)) + (residual_ ? RowOf(inputs_[1], t)[at] : 0);
          if (kFault == Fault::kAddsCompany)
            out[at] *= 1 + 1e-5f * static_cast<float>(batch.tokens);
        }
      }
    }
  }

 private:
  static float Dot(const Weight& weight, int64_t r, const float* x) {
    const int64_t k = weight.tensor.columns - (kFault == Fault::kDropsLastColumn ? 32 : 0);
    const auto* w = static_cast<const float*>(weight.tensor.data) + r * weight.tensor.columns;
    float sum = 0;
    for (int64_t c = 0; c < k; ++c) sum += w[c] * x[c];
    return sum;
  }

  const std::vector<Buffer> inputs_;
  const Buffer out_;
  std::vector<Weight> weights_;
  bool residual_ = false;
};

template <Fault kFault>
class Dots final : public Component, public Quant {
 public:
  explicit Dots(const CreateArgs& args) : host_(*args.host) {}
  void* Query(const char* name) noexcept override { return Offer<Quant>(this, name); }

  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    bool plain = spec.kind == Str(kLinear);
    for (const Weight& w : spec.weights) {
      plain = plain && w.tensor.dtype == DType::kF32 && w.scales.data == nullptr;
    }
    if (!plain) return host_.Fail(Status::kUnsupported, "only linears of f32 are made here");
    ops_.push_back(std::make_unique<DotOp<kFault>>(spec));
    *out = {ops_.back().get(), Split::kRows, 0, 0};
    return Status::kOk;
  }

 private:
  Host& host_;
  std::vector<std::unique_ptr<DotOp<kFault>>> ops_;
};

template <Fault kFault>
constexpr ComponentInfo Described(const char* name) {
  return Describe<Dots<kFault>>(Family::kQuant, name, "One dot product after the other.", 0,
                                Claim(Capability::kDeviceCpu).Union(ClaimWeights(DType::kF32)));
}

constexpr ComponentInfo kRight = Described<Fault::kNone>("acme.right");
constexpr ComponentInfo kResidual = Described<Fault::kDropsResidual>("acme.drops_residual");
constexpr ComponentInfo kSwaps = Described<Fault::kSwapsMatrices>("acme.swaps_matrices");
constexpr ComponentInfo kCompany = Described<Fault::kAddsCompany>("acme.adds_company");
constexpr ComponentInfo kColumn = Described<Fault::kDropsLastColumn>("acme.drops_columns");

}  // namespace

TENON_PLUGIN("acme.quant.wrong", "1.0.0", "MIT", &kRight, &kResidual, &kSwaps, &kCompany, &kColumn);
