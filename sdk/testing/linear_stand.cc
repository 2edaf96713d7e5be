// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/linear_stand.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tenon/testing/numbers.h"

namespace tenon::testing {
namespace {

constexpr int64_t kGap = 16;
constexpr float kUntouched = 12345.5f;
constexpr int64_t kScaleRows = 32, kScaleColumns = 64;

float* RowOf(const Buffer& buffer, int32_t row) {
  return reinterpret_cast<float*>(static_cast<uint8_t*>(buffer.data) + row * buffer.row_bytes);
}

uint64_t U(int64_t i) { return static_cast<uint64_t>(i); }

}  // namespace

LinearStand::LinearStand(Quant* quant, KitDevice& device, const LinearSetup& setup)
    : quant_(quant), device_(device), setup_(setup) {
  if (quant == nullptr) return;
  MakeWeights();
  if (setup_.bias) MakeBiases();
  MakeBuffers();
  if (x_.data != nullptr && out_.data != nullptr) PlanOp();
}

// In memory that lives as long as the device: weights outlive ops.
template <typename T>
const T* LinearStand::Keep(const std::vector<T>& values) {
  const size_t bytes = values.size() * sizeof(T);
  void* kept = device_.Keep(bytes);
  if (kept != nullptr && bytes > 0) std::memcpy(kept, values.data(), bytes);
  return static_cast<const T*>(kept);
}

LinearStand::Stored LinearStand::MakeStored(const LinearMatrix& matrix) {
  const int64_t k = setup_.columns, across = (k + kScaleColumns - 1) / kScaleColumns;
  const std::vector<uint8_t> bytes =
      RandomStored(matrix.type, matrix.rows * k, setup_.seed * 1000 + stored_.size());
  Stored stored = {Keep(bytes), nullptr, ReadStored(matrix.type, bytes.data(), matrix.rows * k)};
  if (!setup_.scales) return stored;
  std::vector<float> scales;
  for (int64_t i = 0; i < (matrix.rows + kScaleRows - 1) / kScaleRows * across; ++i) {
    scales.push_back(1.5f + NumberAt(setup_.seed, 77, U(i), stored_.size()));
  }
  for (int64_t i = 0; i < matrix.rows * k; ++i) {
    const float scale = scales[U(i / k / kScaleRows * across + i % k / kScaleColumns)];
    stored.values[U(i)] *= static_cast<double>(scale);
  }
  stored.scales = Keep(scales);
  return stored;
}

void LinearStand::MakeWeights() {
  const int64_t k = setup_.columns;
  for (const LinearMatrix& matrix : setup_.matrices) {
    for (int32_t e = 0; e < std::max(setup_.experts, 1); ++e) {
      stored_.push_back(MakeStored(matrix));
      const int64_t row_bytes = static_cast<int64_t>(BytesOf(matrix.type, U(k)));
      Weight weight = {"w", {matrix.type, stored_.back().bytes, matrix.rows, k}, row_bytes};
      if (setup_.scales) {
        weight.scales = {DType::kF32, stored_.back().scales,
                         (matrix.rows + kScaleRows - 1) / kScaleRows,
                         (k + kScaleColumns - 1) / kScaleColumns};
        weight.scale_rows = kScaleRows;
        weight.scale_columns = kScaleColumns;
      }
      weights_.push_back(weight);
    }
    outputs_ += matrix.rows * Slots();
  }
}

void LinearStand::MakeBiases() {
  const size_t matrices = weights_.size();
  for (size_t i = 0; i < matrices; ++i) {
    const int64_t rows = weights_[i].tensor.rows;
    std::vector<float> bias;
    for (int64_t r = 0; r < rows; ++r) bias.push_back(NumberAt(setup_.seed, 5, i, U(r)));
    biases_.push_back(Keep(bias));
    weights_.push_back({"b", {DType::kF32, biases_[i], 1, rows}, rows * 4});
  }
}

Buffer LinearStand::MakeBuffer(int64_t columns, DType type) {
  const int64_t stride = columns + kGap;
  auto* data = static_cast<float*>(device_.Keep(U(setup_.tokens * stride * 4)));
  for (int64_t i = 0; data != nullptr && i < setup_.tokens * stride; ++i) data[i] = kUntouched;
  return {data, type, RowSet::kTokens, setup_.tokens, static_cast<int32_t>(columns), stride * 4};
}

void LinearStand::MakeBuffers() {
  const int64_t width = setup_.columns * (setup_.input_by_slot ? setup_.slots : 1);
  x_ = MakeBuffer(width);
  residual_ = MakeBuffer(outputs_);
  out_ = MakeBuffer(outputs_);
  experts_ = MakeBuffer(setup_.slots, DType::kI32);
  if (x_.data == nullptr || residual_.data == nullptr || experts_.data == nullptr) return;
  for (int32_t t = 0; t < setup_.tokens; ++t) {
    for (int64_t c = 0; c < width; ++c) RowOf(x_, t)[c] = 2 * NumberAt(setup_.seed, 6, U(t), U(c));
    for (int64_t c = 0; c < outputs_; ++c) {
      RowOf(residual_, t)[c] = NumberAt(setup_.seed, 7, U(t), U(c));
    }
    for (int32_t j = 0; j < setup_.slots; ++j) {
      reinterpret_cast<int32_t*>(RowOf(experts_, t))[j] = ExpertOf(t, j);
    }
  }
  inputs_ = {x_};
  if (setup_.residual) inputs_.push_back(residual_);
  if (setup_.experts > 0 && setup_.routed) inputs_.push_back(experts_);
}

int32_t LinearStand::ExpertOf(int32_t token, int32_t slot) const {
  if (setup_.experts == 0) return 0;
  if (!setup_.routed) return slot;
  return (token * 7 + slot * 3 + token / 3) % setup_.experts;
}

void LinearStand::PlanOp() {
  const int32_t matrices = static_cast<int32_t>(setup_.matrices.size());
  params_ = {matrices, setup_.bias, setup_.residual};
  grouped_ = {matrices, setup_.experts, setup_.slots, setup_.input_by_slot, setup_.bias};
  const bool grouped = setup_.experts > 0;
  spec_ = {grouped ? kGroupedLinear : kLinear,
           "layers.0.linear",
           {inputs_.data(), inputs_.size()},
           {&out_, 1},
           {weights_.data(), weights_.size()},
           grouped ? static_cast<const void*>(&grouped_) : &params_,
           grouped ? sizeof(grouped_) : sizeof(params_),
           nullptr,
           0};
  status_ = quant_->Plan(spec_, &planned_);
  if (status_ == Status::kOk && planned_.op == nullptr) status_ = Status::kInternal;
}

Batch LinearStand::BatchOf(int32_t tokens) const {
  Batch batch{};
  batch.tokens = tokens;
  batch.logit_rows = tokens;
  return batch;
}

bool LinearStand::Run(int32_t tokens) {
  const Step steps[] = {{planned_.op, 1}};
  return device_.Run({steps, 1}, BatchOf(tokens), nullptr) == Status::kOk;
}

void LinearStand::RunAlone(int32_t tokens) {
  alignas(64) int64_t next_piece = 0;
  int32_t failure = 0;
  planned_.op->Run(BatchOf(tokens), {0, 1, nullptr, &next_piece, nullptr, nullptr, &failure});
}

const float* LinearStand::InputOf(int32_t token, int32_t slot) const {
  return RowOf(x_, token) + (setup_.input_by_slot ? slot * setup_.columns : 0);
}

double LinearStand::RowError(int32_t token, int32_t slot, size_t m, int64_t first) const {
  const size_t at = m * U(std::max(setup_.experts, 1)) + U(ExpertOf(token, slot));
  const float* x = InputOf(token, slot);
  const int64_t rows = setup_.matrices[m].rows;
  double off = 0, norm = 0, usual = 0, x_square = 0;
  for (int64_t c = 0; c < setup_.columns; ++c) {
    x_square += static_cast<double>(x[c]) * static_cast<double>(x[c]);
  }
  for (int64_t r = 0; r < rows; ++r) {
    double expected = 0, square = 0;
    const double* w = &stored_[at].values[U(r * setup_.columns)];
    for (int64_t c = 0; c < setup_.columns; ++c) {
      expected += w[c] * static_cast<double>(x[c]);
      square += w[c] * w[c];
    }
    double got = static_cast<double>(RowOf(out_, token)[first + r]);
    if (setup_.bias) got -= static_cast<double>(biases_[at][U(r)]);
    if (setup_.residual) got -= static_cast<double>(RowOf(residual_, token)[first + r]);
    off += (got - expected) * (got - expected);
    norm += expected * expected;
    usual += square * x_square / static_cast<double>(setup_.columns);
  }
  if (!std::isfinite(off)) return std::numeric_limits<double>::infinity();
  return std::sqrt(off / std::max(norm, usual));
}

double LinearStand::Worst(int32_t tokens) const {
  double worst = 0;
  for (int32_t t = 0; t < tokens; ++t) {
    int64_t first = 0;
    for (size_t m = 0; m < setup_.matrices.size(); ++m) {
      for (int32_t j = 0; j < Slots(); ++j) {
        worst = std::max(worst, RowError(t, j, m, first));
        first += setup_.matrices[m].rows;
      }
    }
  }
  return worst;
}

bool LinearStand::WroteOutside() const {
  for (int32_t t = 0; t < setup_.tokens; ++t) {
    for (int64_t c = 0; c < kGap; ++c) {
      if (RowOf(out_, t)[outputs_ + c] != kUntouched) return true;
    }
  }
  return false;
}

std::vector<float> LinearStand::Row(int32_t token) const {
  const float* row = RowOf(out_, token);
  return {row, row + outputs_};
}

}  // namespace tenon::testing
