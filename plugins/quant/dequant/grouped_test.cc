// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/dequant/grouped.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/cpu/half.h"
#include "plugins/quant/common/test_grouped.h"
#include "plugins/quant/dequant/dequant.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_dequant();

namespace tenon::quant {
namespace {

const ComponentInfo& Info() { return *tenon_plugin_v1_quant_dequant()->components[0]; }

TEST(DequantGrouped, MultipliesEachTokenWithItsExperts) {
  for (const char* type : {"f32", "bf16"}) {
    for (const bool routed : {false, true}) {
      for (const bool by_slot : {false, true}) {
        TestGrouped grouped(
            {{{DType::kQ4_1, 45}, {DType::kF16, 17}}, 64, 4, 4, 21, by_slot, true, routed});
        if (routed) grouped.numbers[3] = -5;
        TestHost host;
        TestDevice device(3, "");
        TestComponent dequant(Info(), host, device, type);
        PlannedOp planned;
        ASSERT_EQ(dequant.quant().Plan(grouped.Spec(), &planned), Status::kOk) << host.failure;
        const uint64_t value_bytes = std::strcmp(type, "f32") == 0 ? 4 : 2;
        EXPECT_EQ(planned.weight_bytes, 4u * 62 * (64 * value_bytes + 4));
        device.RunOp(*planned.op, TestBatch(21));
        const std::vector<double> expected = grouped.Expected(false);
        const double tolerance = value_bytes == 4 ? 1e-4 : 2e-2;
        for (size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(grouped.out[i], expected[i], tolerance) << type << " value " << i;
        }
      }
    }
  }
}

TEST(DequantGrouped, UnpacksWeightsWithScales) {
  TestGrouped grouped({{{DType::kF8E4M3, 40}}, 96, 3, 2, 9, false, false, true});
  grouped.AddScales(16, 28);
  TestHost host;
  TestDevice device(2, "");
  TestComponent dequant(Info(), host, device, "f32");
  PlannedOp planned;
  ASSERT_EQ(dequant.quant().Plan(grouped.Spec(), &planned), Status::kOk) << host.failure;
  device.RunOp(*planned.op, TestBatch(9));
  const std::vector<double> expected = grouped.Expected(false);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(grouped.out[i], expected[i], 1e-3);
}

TEST(DequantGrouped, ARowsBitsDependNotOnItsCompany) {
  const GroupedShape shape{{{DType::kQ6_K, 35}}, 256, 5, 2, 23, true, false, true};
  TestGrouped whole(shape), alone(shape);
  TestHost host;
  TestDevice device(3, "");
  TestComponent dequant(Info(), host, device, "f32");
  PlannedOp all, one;
  ASSERT_EQ(dequant.quant().Plan(whole.Spec(), &all), Status::kOk) << host.failure;
  ASSERT_EQ(dequant.quant().Plan(alone.Spec(), &one), Status::kOk) << host.failure;
  device.RunOp(*all.op, TestBatch(23));
  const size_t x_row = static_cast<size_t>(alone.x_columns());
  const size_t out_row = static_cast<size_t>(alone.columns);
  for (size_t t = 0; t < 23; ++t) {
    std::memcpy(alone.x.data(), &whole.x[t * x_row], x_row * 4);
    std::memcpy(alone.numbers.data(), &whole.numbers[t * 2], 2 * 4);
    device.RunOp(*one.op, TestBatch(1));
    ASSERT_EQ(std::memcmp(alone.out.data(), &whole.out[t * out_row], out_row * 4), 0) << t;
  }
}

}  // namespace
}  // namespace tenon::quant
