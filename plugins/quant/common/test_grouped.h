// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/random_weights.h"
#include "plugins/quant/common/test_device.h"
#include "tenon/ops.h"

// A grouped linear to plan, for the tests of quant plugins.
namespace tenon::quant {

struct GroupedShape {
  std::vector<std::pair<DType, int64_t>> matrices;  // type and rows of each
  int64_t k;
  int32_t experts, slots, tokens;
  bool by_slot, bias, routed;
};

// Random matrices and a random choice of experts; edit the parts before Spec().
struct TestGrouped {
  explicit TestGrouped(const GroupedShape& s) : shape(s) {
    uint32_t seed = 60;
    for (const auto& [type, rows] : s.matrices) {
      for (int32_t e = 0; e < s.experts; ++e) {
        stored.push_back(cpu::RandomStored(type, rows * s.k, ++seed));
        biases.push_back(cpu::RandomFloats(rows, ++seed));
      }
      columns += rows * s.slots;
    }
    x = cpu::RandomFloats(s.tokens * x_columns(), 1);
    std::mt19937 random(s.tokens);
    for (int32_t t = 0; t < s.tokens; ++t) {
      for (int32_t j = 0; j < s.slots; ++j) {
        // Of two experts, one gets most rows.
        const int32_t any = static_cast<int32_t>(random() % static_cast<uint32_t>(s.experts));
        numbers.push_back(!s.routed ? j : random() % 3 == 0 ? any : (j + 1) % s.experts);
      }
    }
    out.assign(static_cast<size_t>(s.tokens * columns), 77.0f);
    params = {static_cast<int32_t>(s.matrices.size()), s.experts, s.slots, s.by_slot, s.bias};
  }

  int64_t x_columns() const { return shape.k * (shape.by_slot ? shape.slots : 1); }
  size_t At(size_t m, int32_t expert) const {
    return m * static_cast<size_t>(shape.experts) + static_cast<size_t>(expert);
  }

  // A scale for every block of rows × columns, for all matrices.
  void AddScales(int64_t block_rows, int64_t block_columns) {
    scale_rows = block_rows;
    scale_columns = block_columns;
    for (size_t i = 0; i < stored.size(); ++i) {
      const int64_t rows = shape.matrices[i / static_cast<size_t>(shape.experts)].second;
      const int64_t down = (rows + block_rows - 1) / block_rows;
      const int64_t across = (shape.k + block_columns - 1) / block_columns;
      scales.push_back(cpu::RandomFloats(down * across, static_cast<uint32_t>(900 + i)));
    }
  }

  OpSpec Spec() {
    weights.clear();
    for (size_t i = 0; i < stored.size(); ++i) {
      const auto& [type, rows] = shape.matrices[i / static_cast<size_t>(shape.experts)];
      const int64_t row_bytes = static_cast<int64_t>(BytesOf(type, static_cast<uint64_t>(shape.k)));
      Weight weight{"expert", {type, stored[i].data(), rows, shape.k}, row_bytes};
      if (scale_rows > 0) {
        const int64_t across = (shape.k + scale_columns - 1) / scale_columns;
        weight.scales = {DType::kF32, scales[i].data(),
                         static_cast<int64_t>(scales[i].size()) / across, across};
        weight.scale_rows = scale_rows;
        weight.scale_columns = scale_columns;
      }
      weights.push_back(weight);
    }
    for (size_t i = 0; i < biases.size() && shape.bias; ++i) {
      const int64_t rows = static_cast<int64_t>(biases[i].size());
      weights.push_back({"bias", {DType::kF32, biases[i].data(), 1, rows}, rows * 4});
    }
    const auto buffer = [&](void* data, DType dtype, int64_t width) {
      return Buffer{data,     dtype, RowSet::kTokens, shape.tokens, static_cast<int32_t>(width),
                    width * 4};
    };
    inputs = {buffer(x.data(), DType::kF32, x_columns()),
              buffer(numbers.data(), DType::kI32, shape.slots)};
    output = {buffer(out.data(), DType::kF32, columns)};
    return {kGroupedLinear,
            "layers.0.experts",
            {inputs.data(), shape.routed ? 2u : 1u},
            {output.data(), 1},
            {weights.data(), weights.size()},
            &params,
            sizeof(params),
            nullptr,
            0};
  }

  // A matrix as f32, scales included.
  std::vector<float> Dense(size_t i) const {
    const auto& [type, rows] = shape.matrices[i / static_cast<size_t>(shape.experts)];
    std::vector<float> w(static_cast<size_t>(rows * shape.k));
    cpu::Dequantize(cpu::Isa::kGeneric, type, stored[i].data(), rows * shape.k, w.data());
    if (scale_rows == 0) return w;
    const int64_t across = (shape.k + scale_columns - 1) / scale_columns;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < shape.k; ++c) {
        const int64_t at = r / scale_rows * across + c / scale_columns;
        w[static_cast<size_t>(r * shape.k + c)] *= scales[i][static_cast<size_t>(at)];
      }
    }
    return w;
  }

  // [tokens, columns] in doubles; with `int8`, inputs of block types without scales are rounded.
  std::vector<double> Expected(bool int8) const {
    std::vector<std::vector<float>> dense;
    for (size_t i = 0; i < stored.size(); ++i) dense.push_back(Dense(i));
    std::vector<double> expected;
    for (int32_t t = 0; t < shape.tokens; ++t) {
      for (size_t m = 0; m < shape.matrices.size(); ++m) {
        for (int32_t j = 0; j < shape.slots; ++j) AppendProduct(dense, t, m, j, int8, &expected);
      }
    }
    return expected;
  }

  GroupedShape shape;
  int64_t columns = 0;                       // of the output
  std::vector<std::vector<uint8_t>> stored;  // [matrices * experts]
  std::vector<std::vector<float>> biases, scales;
  int64_t scale_rows = 0, scale_columns = 0;
  std::vector<float> x, out;
  std::vector<int32_t> numbers;  // [tokens, slots]
  GroupedLinearParams params;
  std::vector<Weight> weights;
  std::vector<Buffer> inputs, output;

 private:
  void AppendProduct(const std::vector<std::vector<float>>& dense, int32_t t, size_t m, int32_t j,
                     bool int8, std::vector<double>* expected) const {
    const int32_t number = numbers[static_cast<size_t>(t * shape.slots + j)];
    const int64_t rows = shape.matrices[m].second;
    if (number < 0 || number >= shape.experts) {
      return expected->insert(expected->end(), static_cast<size_t>(rows), 0.0), void();
    }
    const float* from =
        &x[static_cast<size_t>(t * x_columns() + (shape.by_slot ? j * shape.k : 0))];
    std::vector<float> row(from, from + shape.k);
    if (int8 && Layout(shape.matrices[m].first).block_values > 1 && scale_rows == 0) {
      std::vector<cpu::Int8Block> blocks(row.size() / 32);
      cpu::QuantizeInt8(cpu::Isa::kGeneric, from, shape.k, blocks.data());
      for (size_t i = 0; i < row.size(); ++i)
        row[i] = blocks[i / 32].scale * blocks[i / 32].q[i % 32];
    }
    const std::vector<float>& w = dense[At(m, number)];
    for (int64_t n = 0; n < rows; ++n) {
      double sum = shape.bias ? biases[At(m, number)][static_cast<size_t>(n)] : 0.0;
      for (int64_t i = 0; i < shape.k; ++i) {
        sum += double{row[static_cast<size_t>(i)]} * w[static_cast<size_t>(n * shape.k + i)];
      }
      expected->push_back(sum);
    }
  }
};

}  // namespace tenon::quant
