// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/lora.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "plugins/quant/lora/lora_rig.h"
#include "sdk/testing/allocation_count.h"

namespace tenon::quant {
namespace {

constexpr int64_t kInputs = 90;
const std::vector<int64_t> kMatrices = {40, 24, 17};

// Adapter 0: rank 4 on the first and the last matrix; 1: rank 16 on the second; 2: rank 256 on the
// second, rank 5 on the first.
TestDeltas MixedDeltas(DType type) {
  TestDeltas deltas;
  deltas.Add(0, "m0", 4, kInputs, 40, 2.0F, type);
  deltas.Add(1, "m1", 16, kInputs, 24, 0.5F, type);
  deltas.Add(0, "m2", 4, kInputs, 17, 2.0F, type);
  deltas.Add(2, "m1", 256, kInputs, 24, -0.25F, type);
  deltas.Add(2, "m0", 5, kInputs, 40, 1.0F, type);
  return deltas;
}

int64_t FirstColumn(const AdapterDelta& delta) {
  const std::string_view name = delta.weight;
  return name == "m0" ? 0 : name == "m1" ? 40 : 64;
}

// Adds what `adapter` does to one row, in double; `size` gets the sum of the terms' sizes.
void AddExpected(const TestDeltas& deltas, int32_t adapter, const float* x,
                 std::vector<double>& out, std::vector<double>& size) {
  for (const AdapterDelta& delta : deltas.deltas) {
    if (delta.adapter != adapter) continue;
    const std::vector<double> a = Values(delta.a), b = Values(delta.b);
    const auto rank = static_cast<size_t>(delta.a.rows);
    for (size_t r = 0; r < rank; ++r) {
      double y = 0, y_size = 0;
      for (size_t i = 0; i < kInputs; ++i) {
        y += a[r * kInputs + i] * x[i];
        y_size += std::abs(a[r * kInputs + i] * x[i]);
      }
      for (size_t n = 0; n < static_cast<size_t>(delta.b.rows); ++n) {
        const size_t column = static_cast<size_t>(FirstColumn(delta)) + n;
        out[column] += delta.scale * b[n * rank + r] * y;
        size[column] += std::abs(delta.scale * b[n * rank + r]) * y_size;
      }
    }
  }
}

// Compares row `row`, whose sequence chose `adapter`.
void ExpectRow(LoraRig& rig, const TestDeltas& deltas, int32_t row, int32_t adapter) {
  const float* before = rig.before.data() + row * rig.outputs;
  std::vector<double> expected(before, before + rig.outputs), size(expected.size(), 1.0);
  AddExpected(deltas, adapter, rig.x.data() + row * kInputs, expected, size);
  for (size_t n = 0; n < expected.size(); ++n) {
    ASSERT_NEAR(rig.Row(row)[n], expected[n], 1e-6 * size[n]) << "row " << row << " column " << n;
  }
}

TEST(LoraAdapter, AddsToEachRowWhatItsSequenceChose) {
  const TestStep step({{3, 0}, {1, -1}, {9, 2}, {1, 0}, {4, 1}, {2, -1}, {1, 2}});
  for (const char* isa : LoraLevels()) {
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (const int32_t lanes : {1, 2, 3}) {
        SCOPED_TRACE(std::string(isa) + " " + Layout(type).name + " " + std::to_string(lanes));
        LoraRig rig(lanes, isa, kMatrices, kInputs, 40);
        const TestDeltas deltas = MixedDeltas(type);
        ASSERT_EQ(rig.Prepare(deltas), Status::kOk) << rig.host.failure;
        rig.device.RunOp(*rig.planned.op, step.View());
        for (int32_t row = 0; row < 21; ++row) {
          const auto sequence = static_cast<size_t>(step.token_sequence[static_cast<size_t>(row)]);
          ExpectRow(rig, deltas, row, step.spans[sequence].adapter);
        }
      }
    }
  }
}

TEST(LoraAdapter, MapsRowsOfLogitsToTheirTokens) {
  TestStep step({{3, 0}, {2, -1}, {4, 1}});
  step.logit_rows = {2, 4, 5, 8};
  LoraRig rig(2, "", kMatrices, kInputs, 8, RowSet::kLogitRows);
  const TestDeltas deltas = MixedDeltas(DType::kF32);
  ASSERT_EQ(rig.Prepare(deltas), Status::kOk) << rig.host.failure;
  rig.device.RunOp(*rig.planned.op, step.View());
  const int32_t adapters[] = {0, -1, 1, 1};
  for (int32_t row = 0; row < 4; ++row) ExpectRow(rig, deltas, row, adapters[row]);
  EXPECT_EQ(std::memcmp(rig.Row(4), rig.before.data() + 4 * rig.outputs, 4 * rig.outputs * 4), 0);
}

TEST(LoraAdapter, BitsOfASequenceDoNotDependOnItsCompany) {
  const std::vector<std::pair<int32_t, int32_t>> mixed = {{40, 2}, {3, 0}, {1, -1}, {7, 2}, {2, 0}};
  for (const char* isa : LoraLevels()) {
    LoraRig together(3, isa, kMatrices, kInputs, 64);
    ASSERT_EQ(together.Prepare(MixedDeltas(DType::kF16)), Status::kOk) << together.host.failure;
    together.device.RunOp(*together.planned.op, TestStep(mixed).View());
    int32_t first = 0;
    for (const auto& sequence : mixed) {
      LoraRig alone(1, isa, kMatrices, kInputs, 64);
      ASSERT_EQ(alone.Prepare(MixedDeltas(DType::kF16)), Status::kOk);
      const auto bytes = static_cast<size_t>(sequence.first * alone.outputs) * sizeof(float);
      std::copy_n(together.x.data() + first * kInputs, sequence.first * kInputs, alone.x.data());
      std::memcpy(alone.Row(0), together.before.data() + first * alone.outputs, bytes);
      alone.device.RunOp(*alone.planned.op, TestStep({sequence}).View());
      EXPECT_EQ(std::memcmp(alone.Row(0), together.Row(first), bytes), 0) << isa << " " << first;
      first += sequence.first;
    }
  }
}

TEST(LoraAdapter, LeavesRowsWithoutAnAdapterAsTheyAre) {
  LoraRig rig(2, "", kMatrices, kInputs, 16);
  ASSERT_EQ(rig.Prepare(MixedDeltas(DType::kF32)), Status::kOk);
  EXPECT_EQ(rig.planned.split, Split::kRows) << "no lane may wait for another";
  // An adapter that does nothing here, one that nobody loaded, and none.
  rig.device.RunOp(*rig.planned.op, TestStep({{5, -1}, {3, 3}, {2, 1 << 20}}).View());
  EXPECT_EQ(rig.out, rig.before);
}

TEST(LoraAdapter, AllocatesNothingWhenItRuns) {
  LoraRig rig(1, "", kMatrices, kInputs, 64);
  ASSERT_EQ(rig.Prepare(MixedDeltas(DType::kF16)), Status::kOk);
  const TestStep step({{40, 2}, {3, 0}, {1, -1}, {7, 1}});
  const Batch batch = step.View();
  int64_t piece = 0, before = testing::AllocationCount();
  rig.planned.op->Run(batch, {0, 1, nullptr, &piece, nullptr, nullptr, nullptr});
  EXPECT_EQ(testing::AllocationCount(), before);
}

TEST(LoraAdapter, ReportsAndReturnsItsMemory) {
  TestHost host;
  TestDevice device(2, "");
  {
    TestLora lora(host, device);
    ASSERT_EQ(lora.status, Status::kOk) << host.failure;
  }
  EXPECT_EQ(device.live_bytes, 0u);
  LoraRig rig(2, "", kMatrices, kInputs, 16);
  rig.device.limit_bytes = 100;
  EXPECT_EQ(rig.Prepare(MixedDeltas(DType::kF32)), Status::kOutOfMemory);
  EXPECT_NE(rig.host.failure.find("layers.0.qkv.lora"), std::string::npos) << rig.host.failure;
  LoraRig enough(2, "", kMatrices, kInputs, 16);
  ASSERT_EQ(enough.Prepare(MixedDeltas(DType::kF32)), Status::kOk);
  // Ranks and rows rounded up to 16: (16 + 16 + 272) · 90 of A, 4 · (48 + 32) + 16 · 32 + 256 · 32
  // + 5 · 48 of B.
  EXPECT_EQ(enough.planned.weight_bytes, 4u * (304 * 90 + 4 * 80 + 16 * 32 + 256 * 32 + 5 * 48));
  EXPECT_GT(enough.planned.scratch_bytes, 0u);
}

TEST(LoraAdapter, RefusesOtherDevicesAndKinds) {
  TestHost host;
  TestDevice cuda(1, "sm_90");
  TestLora none(host, cuda);
  EXPECT_EQ(none.status, Status::kInvalid);
  EXPECT_NE(host.failure.find("\"sm_90\""), std::string::npos) << host.failure;
  LoraRig rig(1, "", kMatrices, kInputs, 4);
  OpSpec spec{};
  spec.kind = kLinear;
  spec.name = "layers.0.qkv";
  PlannedOp planned;
  EXPECT_EQ(rig.lora.adapter().Plan(spec, &planned), Status::kUnsupported);
  EXPECT_EQ(planned.op, nullptr);
}

TEST(LoraAdapter, IsNeverTheFamilysDefault) {
  EXPECT_EQ(LoraInfo().rank, 0);
  EXPECT_TRUE(LoraInfo().capabilities.Has(Capability::kAdapter));
}

}  // namespace
}  // namespace tenon::quant
