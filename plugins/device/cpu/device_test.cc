// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/device/cpu/test_host.h"
#include "tenon/device.h"
#include "tenon/ops.h"
#include "tenon/plugin.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_device_cpu();

namespace tenon::cpu {
namespace {

using ::testing::HasSubstr;

const ComponentInfo& Info() { return *tenon_plugin_v1_device_cpu()->components[0]; }

// The component made through the plugin's entry, as a host makes it.
class Made {
 public:
  explicit Made(const std::string& threads, bool pin = false) {
    OptionValue values[2];
    values[0].type = OptionType::kString;
    values[0].text = std::string_view(threads);
    values[1].type = OptionType::kBool;
    values[1].boolean = pin;
    CreateArgs args;
    args.host = &host;
    args.options = {{Info().options, Info().option_count}, {values, 2}};
    status = Info().create(&args, &component_);
    if (status == Status::kOk) device = QueryFor<Device>(*component_);
  }
  ~Made() {
    if (component_ != nullptr) Info().destroy(component_);
  }

  TestHost host;
  Status status;
  Device* device = nullptr;

 private:
  Component* component_ = nullptr;
};

TEST(CpuDevice, DescribesItself) {
  EXPECT_EQ(Info().family, Family::kDevice);
  EXPECT_STREQ(Info().name, "cpu");
  EXPECT_TRUE(Info().capabilities.Has(Capability::kDeviceCpu));
  const Made made("2", true);
  ASSERT_NE(made.device, nullptr) << made.host.failure();
  const DeviceInfo info = made.device->Info();
  EXPECT_EQ(info.kind, Str("cpu"));
  EXPECT_EQ(info.lanes, 2);
  EXPECT_EQ(info.isa, Str(LevelOf(ActiveIsa()).name));
  EXPECT_FALSE(std::string(info.name).empty());
  EXPECT_GT(info.memory_bytes, uint64_t{64} << 20);
  EXPECT_GT(info.free_bytes, 0u);
  EXPECT_LE(info.free_bytes, info.memory_bytes);
}

TEST(CpuDevice, RefusesThreadsThatAreNoNumber) {
  for (const char* threads : {"", "0", "-1", "two", "2x", "1025", "99999999999", " 2"}) {
    const Made made(threads);
    EXPECT_EQ(made.status, Status::kInvalid) << threads;
    EXPECT_THAT(made.host.failure(), HasSubstr("auto or a number from 1 to 1024"));
  }
  EXPECT_GE(Made("auto").device->Info().lanes, 1);
}

TEST(CpuDeviceDeathTest, RefusesAnUnknownLevelAndListsThoseThatFit) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("TENON_ISA", "avx9000", 1);
        const Made made("1");
        std::fprintf(stderr, "%s\n", made.host.failure().c_str());
        std::exit(made.status == Status::kOk ? 0 : 3);
      },
      ::testing::ExitedWithCode(3), "avx9000.*generic");
  EXPECT_EXIT(
      {
        setenv("TENON_ISA", "generic", 1);
        const Made made("1");
        std::fprintf(stderr, "isa %s\n", std::string(made.device->Info().isa).c_str());
        std::exit(4);
      },
      ::testing::ExitedWithCode(4), "isa generic");
}

TEST(CpuDevice, KeepsAndCopiesMemory) {
  const Made made("1");
  Device& device = *made.device;
  int* block = static_cast<int*>(device.Allocate(1 << 20));
  ASSERT_NE(block, nullptr);
  const int values[3] = {1, 2, 3};
  EXPECT_EQ(device.Copy(block, values, sizeof(values), CopyKind::kToDevice), Status::kOk);
  EXPECT_EQ(block[2], 3);
  EXPECT_EQ(block[3], 0);
  EXPECT_EQ(device.Copy(nullptr, values, 4, CopyKind::kToHost), Status::kInvalid);
  EXPECT_EQ(device.Allocate(uint64_t{1} << 60), nullptr);
  device.Free(block);
  EXPECT_EQ(made.host.logged(), "");
  device.Free(block);
  EXPECT_THAT(made.host.logged(), HasSubstr("not this device's"));
}

TEST(CpuDevice, PlansAndRunsAProgram) {
  for (const char* threads : {"1", "2", "3"}) {
    const Made made(threads);
    Device& device = *made.device;
    std::vector<float> x(4 * 8, 1.5f), y(4 * 8, 2.0f);
    const Buffer bx{x.data(), DType::kF32, RowSet::kTokens, 4, 8, 32};
    const Buffer by{y.data(), DType::kF32, RowSet::kTokens, 4, 8, 32};
    const Buffer in[2] = {bx, by};
    const AddParams params{0};
    OpSpec spec{};
    spec.kind = kAdd;
    spec.name = "sum";
    spec.inputs = {in, 2};
    spec.outputs = {&by, 1};
    spec.params = &params;
    spec.params_bytes = sizeof(params);
    PlannedOp planned;
    ASSERT_EQ(device.Plan(spec, &planned), Status::kOk) << made.host.failure();
    const Step steps[2] = {{planned.op, 1}, {planned.op, 0}};
    Batch batch{};
    batch.tokens = 4;
    uint64_t times[2] = {};
    ASSERT_EQ(device.Run({steps, 2}, batch, times), Status::kOk);
    for (const float value : y) EXPECT_EQ(value, 5.0f);
    EXPECT_GT(times[0] + times[1], 0u);
  }
}

TEST(CpuDevice, TellsTheHostWhyItPlansNot) {
  const Made made("1");
  OpSpec spec{};
  spec.kind = "paint";
  spec.name = "wall";
  PlannedOp planned;
  EXPECT_EQ(made.device->Plan(spec, &planned), Status::kUnsupported);
  EXPECT_THAT(made.host.failure(),
              HasSubstr("paint \"wall\": device cpu makes no op of this kind"));
  EXPECT_EQ(planned.op, nullptr);
}

}  // namespace
}  // namespace tenon::cpu
