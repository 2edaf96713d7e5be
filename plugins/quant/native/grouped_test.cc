// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/grouped.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "plugins/quant/common/test_grouped.h"
#include "plugins/quant/native/native.h"

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

struct Way {
  const char* activations;
  const char* experts;
  int32_t lanes;
  const char* isa;
};

// Plans and runs the first `tokens` tokens.
void PlanAndRun(TestGrouped& grouped, const Way& way, int32_t tokens) {
  TestHost host;
  TestDevice device(way.lanes, way.isa);
  TestComponent native(Info(), host, device, way.activations, way.experts);
  ASSERT_EQ(native.status, Status::kOk) << host.failure;
  PlannedOp planned;
  ASSERT_EQ(native.quant().Plan(grouped.Spec(), &planned), Status::kOk) << host.failure;
  device.RunOp(*planned.op, TestBatch(tokens));
}

void ExpectNear(const TestGrouped& grouped, bool int8, const char* isa) {
  const std::vector<double> expected = grouped.Expected(int8);
  ASSERT_EQ(expected.size(), grouped.out.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(grouped.out[i], expected[i], 1e-3) << isa << " value " << i;
  }
}

// Mixed stored types; more rows for one expert than a product takes at once; none for another.
TEST(NativeGrouped, MultipliesEachTokenWithItsExperts) {
  for (const char* isa : LevelsHere()) {
    for (const char* activations : {"int8", "f32"}) {
      for (const char* experts : {"packed", "mapped"}) {
        for (const bool by_slot : {false, true}) {
          TestGrouped grouped({{{DType::kQ4_1, 40}, {DType::kF16, 17}, {DType::kQ8_0, 16}},
                               64,
                               7,
                               3,
                               21,
                               by_slot,
                               true,
                               true});
          for (int32_t& number : grouped.numbers) number = number == 5 ? 6 : number;
          PlanAndRun(grouped, {activations, experts, 3, isa}, grouped.shape.tokens);
          const bool int8 = std::strcmp(activations, "int8") == 0;
          ExpectNear(grouped, int8 && std::strcmp(experts, "packed") == 0, isa);
        }
      }
    }
  }
}

TEST(NativeGrouped, TakesMoreRowsOfAnExpertThanOneProduct) {
  for (const char* activations : {"int8", "f32"}) {
    TestGrouped grouped({{{DType::kQ4_0, 20}}, 32, 2, 2, 300, false, false, true});
    for (int32_t& number : grouped.numbers) number = 1;
    PlanAndRun(grouped, {activations, "packed", 2, ""}, 300);
    ExpectNear(grouped, std::strcmp(activations, "int8") == 0, "");
  }
}

// One product a head: slot j takes matrix j, whatever `experts` says.
TEST(NativeGrouped, TakesMatrixJForSlotJWithoutAChoice) {
  for (const bool by_slot : {false, true}) {
    for (const char* experts : {"packed", "mapped"}) {
      TestGrouped grouped({{{DType::kQ4_K, 24}}, 256, 5, 5, 9, by_slot, false, false});
      PlanAndRun(grouped, {"int8", experts, 2, ""}, 9);
      ExpectNear(grouped, true, "");
    }
  }
}

TEST(NativeGrouped, ARowsBitsDependNeitherOnItsCompanyNorOnLanes) {
  for (const char* isa : LevelsHere()) {
    for (const Way way : {Way{"int8", "packed", 3, isa}, Way{"int8", "mapped", 3, isa},
                          Way{"f32", "packed", 3, isa}}) {
      for (const bool by_slot : {false, true}) {
        const GroupedShape shape{
            {{DType::kQ4_1, 33}, {DType::kBF16, 18}}, 96, 6, 3, 37, by_slot, true, true};
        TestGrouped whole(shape);
        PlanAndRun(whole, way, shape.tokens);
        TestHost host;
        TestDevice device(1, isa);
        TestComponent native(Info(), host, device, way.activations, way.experts);
        TestGrouped part(shape);
        PlannedOp planned;
        ASSERT_EQ(native.quant().Plan(part.Spec(), &planned), Status::kOk) << host.failure;
        std::mt19937 random(7);
        const size_t x_row = static_cast<size_t>(part.x_columns());
        const size_t out_row = static_cast<size_t>(part.columns);
        for (int32_t batch = 0; batch < 30; ++batch) {
          const int32_t size = batch < 10 ? 1 : 1 + static_cast<int32_t>(random() % 20);
          std::vector<size_t> from;
          for (size_t t = 0; t < static_cast<size_t>(size); ++t) {
            from.push_back(random() % 37);
            std::memcpy(&part.x[t * x_row], &whole.x[from[t] * x_row], x_row * 4);
            std::memcpy(&part.numbers[t * 3], &whole.numbers[from[t] * 3], 3 * 4);
          }
          device.RunOp(*planned.op, TestBatch(size));
          for (size_t t = 0; t < from.size(); ++t) {
            ASSERT_EQ(
                std::memcmp(&part.out[t * out_row], &whole.out[from[t] * out_row], out_row * 4), 0)
                << isa << " " << way.activations << " " << way.experts << " batch " << batch;
          }
        }
      }
    }
  }
}

// As block-scaled fp8 models store them; also a block type, which is then read exactly.
TEST(NativeGrouped, ReadsWeightsWithScalesExactly) {
  for (const char* isa : LevelsHere()) {
    for (const DType type : {DType::kF8E4M3, DType::kQ8_0}) {
      TestGrouped grouped({{{type, 40}}, 96, 3, 2, 9, false, false, true});
      grouped.AddScales(16, 64);
      PlanAndRun(grouped, {"int8", "packed", 2, isa}, 9);
      ExpectNear(grouped, false, isa);
    }
  }
}

TEST(NativeGrouped, GivesZerosForNumbersThatAreNoExpert) {
  TestGrouped grouped({{{DType::kQ4_1, 20}, {DType::kF32, 5}}, 64, 4, 2, 6, true, true, true});
  grouped.numbers[0] = -1;
  grouped.numbers[3] = 4;
  grouped.numbers[6] = INT32_MAX;
  grouped.numbers[7] = INT32_MIN;
  PlanAndRun(grouped, {"int8", "packed", 2, ""}, 6);
  ExpectNear(grouped, true, "");
}

// Memory of a file that must not be read: any access ends the test.
class Untouchable {
 public:
  explicit Untouchable(size_t bytes)
      : bytes_(bytes), data_(mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  Untouchable(const Untouchable&) = delete;
  Untouchable& operator=(const Untouchable&) = delete;
  ~Untouchable() { munmap(data_, bytes_); }
  void Fill(const std::vector<uint8_t>& values) {
    ASSERT_EQ(mprotect(data_, bytes_, PROT_READ | PROT_WRITE), 0);
    std::memcpy(data_, values.data(), values.size());
  }
  const void* data() const { return data_; }

 private:
  size_t bytes_;
  void* data_;
};

TEST(NativeGrouped, PlanningReadsNoExpertThatIsNotPackedAndRunningOnlyThoseRoutedTo) {
  struct Case {
    DType type;
    const char* activations;
    const char* experts;
  };
  for (const Case& c : {Case{DType::kQ4_1, "int8", "mapped"}, Case{DType::kQ4_1, "f32", "packed"},
                        Case{DType::kF16, "int8", "packed"}}) {
    TestGrouped grouped({{{c.type, 40}}, 64, 3, 1, 4, false, false, true});
    grouped.numbers = {2, 0, 0, 2};
    OpSpec spec = grouped.Spec();
    Untouchable first(8192), second(8192), third(8192);
    Untouchable* pages[] = {&first, &second, &third};
    for (size_t e = 0; e < 3; ++e) grouped.weights[e].tensor.data = pages[e]->data();
    TestHost host;
    TestDevice device(2, "");
    TestComponent native(Info(), host, device, c.activations, c.experts);
    PlannedOp planned;
    ASSERT_EQ(native.quant().Plan(spec, &planned), Status::kOk) << host.failure;
    EXPECT_EQ(planned.weight_bytes == 0, std::strcmp(c.experts, "mapped") == 0);
    first.Fill(grouped.stored[0]);
    third.Fill(grouped.stored[2]);
    device.RunOp(*planned.op, TestBatch(4));
    ExpectNear(grouped, false, "");
  }
}

TEST(NativeGrouped, ReturnsItsMemoryAndReportsWhenThereIsNone) {
  TestHost host;
  TestDevice device(2, "");
  TestGrouped grouped({{{DType::kQ4_1, 40}}, 64, 4, 2, 6, true, true, true});
  {
    TestComponent native(Info(), host, device, "int8");
    PlannedOp planned;
    device.limit_bytes = 100;
    EXPECT_EQ(native.quant().Plan(grouped.Spec(), &planned), Status::kOutOfMemory);
    EXPECT_NE(host.failure.find("layers.0.experts"), std::string::npos) << host.failure;
    device.limit_bytes = UINT64_MAX;
    ASSERT_EQ(native.quant().Plan(grouped.Spec(), &planned), Status::kOk);
    EXPECT_EQ(planned.weight_bytes, 4u * (48 * 64 / 32 * 20 + 40 * 4));
    EXPECT_GE(device.live_bytes, planned.weight_bytes + planned.scratch_bytes);
  }
  EXPECT_EQ(device.live_bytes, 0u);
}

class Refusals {
 public:
  Refusals() : native_(Info(), host_, device_, "int8") {}
  // What Plan says of `spec`; checks its status.
  std::string Of(const OpSpec& spec, Status want) {
    PlannedOp planned;
    host_.failure.clear();
    EXPECT_EQ(native_.quant().Plan(spec, &planned), want) << host_.failure;
    EXPECT_EQ(planned.op == nullptr, want != Status::kOk);
    return host_.failure;
  }

 private:
  TestHost host_;
  TestDevice device_{1, ""};
  TestComponent native_;
};

bool Says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos || (ADD_FAILURE() << text, false);
}

TEST(NativeGrouped, RefusesWhatDoesNotFitAndSaysWhich) {
  const GroupedShape shape{{{DType::kQ4_1, 16}, {DType::kQ4_1, 24}}, 64, 3, 2, 4, true, true, true};
  Refusals refusals;
  TestGrouped g(shape);
  const auto edited = [&](auto edit) {
    g = TestGrouped(shape);
    OpSpec spec = g.Spec();
    edit(spec);
    return spec;
  };
  EXPECT_EQ(refusals.Of(edited([](OpSpec&) {}), Status::kOk), "");
  EXPECT_TRUE(Says(refusals.Of(edited([&](OpSpec&) { g.params.slots = 0; }), Status::kInvalid),
                   "layers.0.experts: 2 matrices for 0 slots of 3 experts"));
  EXPECT_TRUE(Says(refusals.Of(edited([](OpSpec& s) { s.params_bytes = 4; }), Status::kInvalid),
                   "4 bytes of parameters"));
  EXPECT_TRUE(Says(refusals.Of(edited([](OpSpec& s) { s.inputs.size = 1; }), Status::kInvalid),
                   "as many slots as experts"));
  EXPECT_TRUE(Says(refusals.Of(edited([](OpSpec& s) { s.weights.size = 11; }), Status::kInvalid),
                   "12 weights here; got"));
  EXPECT_TRUE(Says(
      refusals.Of(edited([&](OpSpec&) { g.inputs[1].dtype = DType::kF32; }), Status::kUnsupported),
      "i32 is understood"));
  EXPECT_TRUE(Says(refusals.Of(edited([&](OpSpec&) { g.inputs[1].columns = 3; }), Status::kInvalid),
                   "3 experts a row for 2 slots"));
  EXPECT_TRUE(
      Says(refusals.Of(edited([&](OpSpec&) { g.inputs[0].columns = 127; }), Status::kInvalid),
           "cannot be shared by 2 slots"));
  EXPECT_TRUE(Says(refusals.Of(edited([&](OpSpec&) {
                                 g.weights[1].tensor.rows = g.weights[7].tensor.columns = 15;
                               }),
                               Status::kInvalid),
                   "of expert 1 has other rows"));
  EXPECT_TRUE(
      Says(refusals.Of(edited([&](OpSpec&) { g.output[0].columns = 79; }), Status::kInvalid),
           "do not add up to the output's 79"));
  EXPECT_TRUE(Says(refusals.Of(edited([&](OpSpec&) { g.weights[2].tensor.dtype = DType::kI8; }),
                               Status::kUnsupported),
                   "stored as i8"));
  EXPECT_TRUE(Says(
      refusals.Of(edited([&](OpSpec&) { g.inputs[0].max_rows = INT32_MAX; }), Status::kUnsupported),
      "max_batch_tokens"));
}

TEST(NativeGrouped, RefusesScalesThatDoNotCoverTheirMatrix) {
  const GroupedShape shape{{{DType::kF8E4M3, 40}}, 96, 2, 1, 3, false, false, true};
  Refusals refusals;
  TestGrouped g(shape);
  g.AddScales(16, 64);
  EXPECT_EQ(refusals.Of(g.Spec(), Status::kOk), "");
  OpSpec spec = g.Spec();
  g.weights[1].scale_rows = 13;
  EXPECT_TRUE(Says(refusals.Of(spec, Status::kInvalid), "one for 13 rows and 64 columns"));
  spec = g.Spec();
  g.weights[0].scale_columns = 0;
  EXPECT_NE(refusals.Of(spec, Status::kInvalid), "");
  spec = g.Spec();
  g.weights[0].scales.dtype = DType::kBF16;
  EXPECT_TRUE(Says(refusals.Of(spec, Status::kUnsupported), "not stored as f32"));
}

}  // namespace
}  // namespace tenon::quant
