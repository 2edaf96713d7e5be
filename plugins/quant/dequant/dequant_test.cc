// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/dequant/dequant.h"

#include <gtest/gtest.h>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/half.h"
#include "plugins/quant/common/test_device.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_dequant();

namespace tenon::quant {
namespace {

const ComponentInfo& Info() { return *tenon_plugin_v1_quant_dequant()->components[0]; }

void ExpectProduct(const TestLinear& linear, bool bf16) {
  size_t column = 0;
  const size_t k = static_cast<size_t>(linear.k);
  for (const TestLinear::Matrix& m : linear.matrices) {
    std::vector<float> w(static_cast<size_t>(m.rows) * k);
    cpu::Dequantize(cpu::Isa::kGeneric, m.type, m.stored.data(), m.rows * linear.k, w.data());
    for (size_t n = 0; n < static_cast<size_t>(m.rows); ++n, ++column) {
      for (size_t t = 0; t < static_cast<size_t>(linear.tokens); ++t) {
        const size_t at = t * static_cast<size_t>(linear.outputs) + column;
        double sum = double{linear.biases[column]} + linear.residual_values[at];
        for (size_t i = 0; i < k; ++i) {
          const float value = w[n * k + i];
          sum += double{bf16 ? cpu::Bf16ToF32(cpu::F32ToBf16(value)) : value} * linear.x[t * k + i];
        }
        ASSERT_NEAR(linear.out[at], sum, 1e-3) << "token " << t << ", column " << column;
      }
    }
  }
}

TEST(DequantQuant, MultipliesUnpackedWeights) {
  for (const char* type : {"f32", "bf16"}) {
    for (const int32_t lanes : {1, 3}) {
      TestLinear linear({{DType::kQ4_K, 35}, {DType::kQ5_1, 64}, {DType::kF16, 3}}, 768, 6, true,
                        true);
      TestHost host;
      TestDevice device(lanes, "");
      TestComponent dequant(Info(), host, device, type);
      ASSERT_EQ(dequant.status, Status::kOk) << host.failure;
      PlannedOp planned;
      ASSERT_EQ(dequant.quant().Plan(linear.Spec(), &planned), Status::kOk) << host.failure;
      const uint64_t value_bytes = std::string(type) == "f32" ? 4 : 2;
      EXPECT_EQ(planned.weight_bytes, 102u * 768 * value_bytes + 102 * 4);
      device.RunOp(*planned.op, TestBatch(6));
      ExpectProduct(linear, value_bytes == 2);
    }
  }
}

// A grid that divides neither the rows nor the columns, in runs of 256 columns for bf16.
TEST(DequantQuant, MultipliesScalesIntoTheWeightsItUnpacks) {
  const std::vector<float> scales = cpu::RandomFloats(4 * 8, 8);
  for (const char* type : {"f32", "bf16"}) {
    TestLinear linear({{DType::kF8E4M3, 35}}, 768, 3, true, true);
    TestLinear dense({{DType::kF32, 35}}, 768, 3, true, true);
    float* w = reinterpret_cast<float*>(dense.matrices[0].stored.data());
    cpu::Dequantize(cpu::Isa::kGeneric, DType::kF8E4M3, linear.matrices[0].stored.data(), 35 * 768,
                    w);
    for (size_t i = 0; i < 35 * 768; ++i) w[i] *= scales[i / 768 / 10 * 8 + i % 768 / 100];
    const OpSpec spec = linear.Spec(), dense_spec = dense.Spec();
    linear.weights[0].scales = {DType::kF32, scales.data(), 4, 8};
    linear.weights[0].scale_rows = 10;
    linear.weights[0].scale_columns = 100;
    TestHost host;
    TestDevice device(2, "");
    TestComponent dequant(Info(), host, device, type);
    PlannedOp planned, dense_planned;
    ASSERT_EQ(dequant.quant().Plan(spec, &planned), Status::kOk) << host.failure;
    ASSERT_EQ(dequant.quant().Plan(dense_spec, &dense_planned), Status::kOk) << host.failure;
    device.RunOp(*planned.op, TestBatch(3));
    device.RunOp(*dense_planned.op, TestBatch(3));
    EXPECT_EQ(linear.out, dense.out) << type;
  }
}

TEST(DequantQuant, ReturnsItsMemoryAndReportsWhenThereIsNone) {
  TestHost host;
  TestDevice device(2, "");
  TestLinear linear({{DType::kQ4_1, 16}}, 64, 4, true, false);
  {
    TestComponent dequant(Info(), host, device, "f32");
    PlannedOp planned;
    device.limit_bytes = 100;
    EXPECT_EQ(dequant.quant().Plan(linear.Spec(), &planned), Status::kOutOfMemory);
    EXPECT_NE(host.failure.find("layers.0.test"), std::string::npos) << host.failure;
    device.limit_bytes = UINT64_MAX;
    ASSERT_EQ(dequant.quant().Plan(linear.Spec(), &planned), Status::kOk);
    EXPECT_GE(device.live_bytes, planned.weight_bytes + planned.scratch_bytes);
  }
  EXPECT_EQ(device.live_bytes, 0u);
}

TEST(DequantQuant, RefusesOtherKindsOfOp) {
  TestHost host;
  TestDevice device(1, "");
  TestComponent dequant(Info(), host, device, "f32");
  TestLinear linear({{DType::kF32, 16}}, 64, 4, false, false);
  OpSpec spec = linear.Spec();
  spec.kind = kRope;
  PlannedOp planned;
  EXPECT_EQ(dequant.quant().Plan(spec, &planned), Status::kUnsupported);
  EXPECT_NE(host.failure.find("rope"), std::string::npos) << host.failure;
}

}  // namespace
}  // namespace tenon::quant
