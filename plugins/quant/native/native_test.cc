// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/native.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/int8_activations.h"
#include "plugins/quant/common/test_device.h"
#include "plugins/quant/native/workspace.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_native();

namespace tenon::quant {
namespace {

const ComponentInfo& Info() { return *tenon_plugin_v1_quant_native()->components[0]; }

std::vector<const char*> LevelsHere() {
  std::vector<const char*> levels;
  for (uint32_t i = 0; i < cpu::kIsaCount; ++i) {
    if (cpu::IsaLevels()[i].available) levels.push_back(cpu::IsaLevels()[i].name);
  }
  return levels;
}

// Plans and runs `linear` on the first `tokens` rows.
void PlanAndRun(TestLinear& linear, const char* activations, int32_t lanes, const char* isa,
                int32_t tokens) {
  TestHost host;
  TestDevice device(lanes, isa);
  TestComponent native(Info(), host, device, activations);
  ASSERT_EQ(native.status, Status::kOk) << host.failure;
  PlannedOp planned;
  ASSERT_EQ(native.quant().Plan(linear.Spec(), &planned), Status::kOk) << host.failure;
  device.RunOp(*planned.op, TestBatch(tokens));
}

// The result in double; with int8 the inputs are rounded as the format says.
std::vector<double> Expected(const TestLinear& linear, bool int8) {
  std::vector<double> out;
  const size_t k = static_cast<size_t>(linear.k);
  std::vector<cpu::Int8Block> blocks(k / 32);
  for (size_t t = 0; t < static_cast<size_t>(linear.tokens); ++t) {
    size_t column = 0;
    cpu::QuantizeInt8(cpu::Isa::kGeneric, &linear.x[t * k], linear.k, blocks.data());
    for (const TestLinear::Matrix& m : linear.matrices) {
      std::vector<float> w(static_cast<size_t>(m.rows) * k);
      cpu::Dequantize(cpu::Isa::kGeneric, m.type, m.stored.data(), m.rows * linear.k, w.data());
      const bool rounded = int8 && Layout(m.type).block_values > 1;
      for (size_t n = 0; n < static_cast<size_t>(m.rows); ++n, ++column) {
        double sum = linear.params.has_bias != 0 ? linear.biases[column] : 0.0;
        if (linear.params.has_residual != 0) {
          sum += linear.residual_values[t * static_cast<size_t>(linear.outputs) + column];
        }
        for (size_t i = 0; i < k; ++i) {
          const float q = blocks[i / 32].scale * blocks[i / 32].q[i % 32];
          sum += double{rounded ? q : linear.x[t * k + i]} * w[n * k + i];
        }
        out.push_back(sum);
      }
    }
  }
  return out;
}

TEST(NativeQuant, MultipliesStackedMatricesOfMixedTypesInIntegers) {
  for (const char* isa : LevelsHere()) {
    TestLinear linear({{DType::kQ4_1, 40}, {DType::kQ8_0, 24}, {DType::kBF16, 17}}, 96, 21, true,
                      true);
    PlanAndRun(linear, "int8", 2, isa, linear.tokens);
    const std::vector<double> expected = Expected(linear, true);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(linear.out[i], expected[i], 2e-4);
  }
}

TEST(NativeQuant, IsExactWithF32Activations) {
  for (const char* isa : LevelsHere()) {
    TestLinear linear({{DType::kQ6_K, 33}, {DType::kQ5_0, 15}}, 256, 5, false, false);
    PlanAndRun(linear, "f32", 2, isa, linear.tokens);
    const std::vector<double> expected = Expected(linear, false);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(linear.out[i], expected[i], 1e-3);
  }
}

TEST(NativeQuant, ValuesDependNeitherOnLanesNorOnTheBatch) {
  for (const char* activations : {"int8", "f32"}) {
    TestLinear whole({{DType::kQ4_1, 70}, {DType::kQ4_K, 48}}, 256, 40, true, false);
    PlanAndRun(whole, activations, 3, cpu::LevelOf(cpu::ActiveIsa()).name, 40);
    for (const int32_t tokens : {1, NativeWorkspace::kFewRows, NativeWorkspace::kFewRows + 1}) {
      TestLinear part({{DType::kQ4_1, 70}, {DType::kQ4_K, 48}}, 256, 40, true, false);
      PlanAndRun(part, activations, 1, cpu::LevelOf(cpu::ActiveIsa()).name, tokens);
      const size_t bytes = static_cast<size_t>(tokens * part.outputs) * sizeof(float);
      EXPECT_EQ(std::memcmp(part.out.data(), whole.out.data(), bytes), 0) << activations;
    }
  }
}

TEST(NativeQuant, AddsToTheResidualInPlace) {
  TestLinear linear({{DType::kQ8_0, 20}}, 64, 12, false, true);
  const std::vector<double> expected = Expected(linear, true);
  OpSpec spec = linear.Spec();
  linear.output[0].data = linear.residual_values.data();
  TestHost host;
  TestDevice device(2, "");
  TestComponent native(Info(), host, device, "int8");
  PlannedOp planned;
  ASSERT_EQ(native.quant().Plan(spec, &planned), Status::kOk) << host.failure;
  device.RunOp(*planned.op, TestBatch(12));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(linear.residual_values[i], expected[i], 1e-4);
  }
}

TEST(NativeQuant, SharesItsScratchAmongOpsOfDifferentWidths) {
  TestHost host;
  TestDevice device(2, "");
  TestComponent native(Info(), host, device, "int8");
  TestLinear narrow({{DType::kQ4_0, 32}}, 64, 30, false, false);
  TestLinear wide({{DType::kQ5_1, 32}}, 512, 30, false, false);
  PlannedOp first, second;
  ASSERT_EQ(native.quant().Plan(narrow.Spec(), &first), Status::kOk);
  ASSERT_EQ(native.quant().Plan(wide.Spec(), &second), Status::kOk);
  EXPECT_EQ(first.weight_bytes, 32u * 64 / 32 * 18);
  device.RunOp(*first.op, TestBatch(30));
  device.RunOp(*second.op, TestBatch(30));
  device.RunOp(*first.op, TestBatch(3));
  for (TestLinear* linear : {&narrow, &wide}) {
    const std::vector<double> expected = Expected(*linear, true);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(linear->out[i], expected[i], 1e-3);
  }
}

TEST(NativeQuant, RefusesWhatDoesNotFitAndSaysWhich) {
  TestHost host;
  TestDevice device(1, "");
  TestComponent native(Info(), host, device, "int8");
  TestLinear linear({{DType::kQ4_1, 16}}, 64, 4, true, true);
  PlannedOp planned;
  OpSpec spec = linear.Spec();
  linear.weights[0].tensor.columns = 32;
  EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kInvalid);
  EXPECT_NE(host.failure.find("layers.0.test: \"w\" [16, 32]"), std::string::npos) << host.failure;
  spec = linear.Spec();
  linear.weights[1].tensor.columns = 15;
  EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kInvalid);
  spec = linear.Spec();
  linear.output[0].columns = 17;
  EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kInvalid);
  spec = linear.Spec();
  linear.weights[0].tensor.dtype = DType::kI32;
  EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kUnsupported);
  EXPECT_NE(host.failure.find("i32"), std::string::npos) << host.failure;
  spec = linear.Spec();
  spec.kind = kAttention;
  EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kUnsupported);
  spec = linear.Spec();
  spec.weights.size = 1;
  EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kInvalid);
  EXPECT_EQ(planned.op, nullptr);
}

TEST(NativeQuant, ReturnsItsMemoryAndReportsWhenThereIsNone) {
  TestHost host;
  TestDevice device(2, "");
  TestLinear linear({{DType::kQ4_1, 16}}, 64, 4, true, false);
  {
    TestComponent native(Info(), host, device, "int8");
    PlannedOp planned;
    device.limit_bytes = 100;
    EXPECT_EQ(native.quant().Plan(linear.Spec(), &planned), Status::kOutOfMemory);
    device.limit_bytes = UINT64_MAX;
    ASSERT_EQ(native.quant().Plan(linear.Spec(), &planned), Status::kOk);
    EXPECT_GE(device.live_bytes, planned.weight_bytes + planned.scratch_bytes);
  }
  EXPECT_EQ(device.live_bytes, 0u);
}

TEST(WeightArena, ServesSmallMatricesFromOneBlockAndLargeOnesAlone) {
  TestDevice device(1, "");
  {
    WeightArena arena(device);
    uint64_t total = 0;
    char* first = static_cast<char*>(arena.Allocate(100, &total));
    const uint64_t block = device.live_bytes;
    EXPECT_NE(arena.Allocate(block + 1, &total), nullptr);
    EXPECT_EQ(device.live_bytes, 2 * block + 64);
    EXPECT_EQ(static_cast<char*>(arena.Allocate(1, &total)), first + 128);
    EXPECT_EQ(total, 100 + block + 1 + 1);
    EXPECT_EQ(device.live_bytes, 2 * block + 64);
    device.limit_bytes = device.live_bytes;
    EXPECT_EQ(arena.Allocate(block - 64, &total), nullptr);
    EXPECT_EQ(total, 100 + block + 1 + 1);
  }
  EXPECT_EQ(device.live_bytes, 0u);
}

TEST(NativeQuant, RefusesALevelThatIsNotHere) {
  TestHost host;
  TestDevice device(1, "sm_90");
  TestComponent native(Info(), host, device, "int8");
  EXPECT_EQ(native.status, Status::kInvalid);
  EXPECT_NE(host.failure.find("\"sm_90\""), std::string::npos) << host.failure;
}

// A scale for each of 16 rows and 64 columns; a block type with scales is read exactly too.
TEST(NativeQuant, ReadsWeightsWithScalesExactly) {
  const std::vector<float> scales = cpu::RandomFloats(3 * 2, 8);
  for (const DType type : {DType::kF8E4M3, DType::kQ4_1}) {
    TestLinear linear({{type, 40}}, 96, 5, true, true);
    TestLinear dense({{DType::kF32, 40}}, 96, 5, true, true);
    float* w = reinterpret_cast<float*>(dense.matrices[0].stored.data());
    cpu::Dequantize(cpu::Isa::kGeneric, type, linear.matrices[0].stored.data(), 40 * 96, w);
    for (size_t i = 0; i < 40 * 96; ++i) w[i] *= scales[i / 96 / 16 * 2 + i % 96 / 64];
    const OpSpec spec = linear.Spec();
    linear.weights[0].scales = {DType::kF32, scales.data(), 3, 2};
    linear.weights[0].scale_rows = 16;
    linear.weights[0].scale_columns = 64;
    TestHost host;
    TestDevice device(2, "");
    TestComponent native(Info(), host, device, "int8");
    PlannedOp planned;
    ASSERT_EQ(native.quant().Plan(spec, &planned), Status::kOk) << host.failure;
    device.RunOp(*planned.op, TestBatch(5));
    PlanAndRun(dense, "int8", 1, "", 5);
    EXPECT_EQ(std::memcmp(linear.out.data(), dense.out.data(), linear.out.size() * 4), 0);
    linear.weights[0].scales.rows = 2;
    EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kInvalid);
    EXPECT_NE(host.failure.find("scales [2, 2]"), std::string::npos) << host.failure;
    linear.weights[0].scales.rows = 3;
    linear.weights[1].scales = linear.weights[0].scales;
    EXPECT_EQ(native.quant().Plan(spec, &planned), Status::kUnsupported);
    EXPECT_NE(host.failure.find("bias"), std::string::npos) << host.failure;
  }
}

TEST(NativeQuant, ReadsSlicesOfRowsAndColumns) {
  TestLinear linear({{DType::kQ8_0, 32}}, 128, 3, false, false);
  TestLinear half({{DType::kQ8_0, 16}}, 64, 3, false, false);
  OpSpec spec = half.Spec();
  const int64_t row_bytes = 128 / 32 * 34;
  half.weights[0].tensor.data = linear.matrices[0].stored.data() + 8 * row_bytes + 2 * 34;
  half.weights[0].row_bytes = row_bytes;
  for (size_t row = 0; row < 16; ++row) {
    std::memcpy(&half.matrices[0].stored[row * 68],
                &linear.matrices[0].stored[(row + 8) * static_cast<size_t>(row_bytes) + 68], 68);
  }
  for (const char* activations : {"int8", "f32"}) {
    TestHost host;
    TestDevice device(1, "");
    TestComponent native(Info(), host, device, activations);
    PlannedOp planned;
    ASSERT_EQ(native.quant().Plan(spec, &planned), Status::kOk) << host.failure;
    device.RunOp(*planned.op, TestBatch(3));
    const std::vector<double> expected = Expected(half, std::strcmp(activations, "int8") == 0);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(half.out[i], expected[i], 1e-3);
  }
}

// What is promised before loading is what is packed; the rest stays where it is mapped.
TEST(NativeQuant, KnowsItsFootprintBeforehand) {
  for (const char* activations : {"int8", "f32"}) {
    TestLinear linear({{DType::kQ4_1, 40}, {DType::kF16, 32}, {DType::kQ6_K, 16}}, 512, 2, false,
                      false);
    constexpr uint64_t kMapped = 32 * 512 * 2;
    TestHost host;
    TestDevice device(1, "");
    TestComponent native(Info(), host, device, activations);
    PlannedOp planned;
    const OpSpec spec = linear.Spec();
    Node node;
    node.kind = spec.kind;
    node.weights = spec.weights;
    auto* footprint = QueryFor<WeightFootprint>(native.component());
    ASSERT_NE(footprint, nullptr);
    const uint64_t promised = footprint->WeightBytes(node);
    ASSERT_EQ(native.quant().Plan(spec, &planned), Status::kOk) << host.failure;
    if (std::strcmp(activations, "f32") == 0) {
      EXPECT_EQ(promised, 0u);
    } else {
      EXPECT_EQ(planned.weight_bytes, promised + kMapped);
    }
  }
}

}  // namespace
}  // namespace tenon::quant
