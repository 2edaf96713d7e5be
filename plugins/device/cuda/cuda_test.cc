// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "plugins/device/cuda/cuda_device.h"
#include "tenon/ops.h"
#include "tenon/plugin.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_device_cuda();

namespace tenon::cuda {
namespace {

class TestHost final : public Host {
 public:
  void Log(LogLevel, Str) noexcept override {}
  Status Fail(Status status, Str text) noexcept override {
    failure = std::string_view(text);
    return status;
  }
  void* Service(const char*) noexcept override { return nullptr; }
  std::string failure;
};

const ComponentInfo& Info() { return *tenon_plugin_v1_device_cuda()->components[0]; }

// The device with its default options; null where this machine has no card.
std::unique_ptr<CudaDevice> MakeDevice(TestHost& host) {
  if (Info().probe(&host) != Status::kOk) return nullptr;
  const OptionValue values[] = {{.type = OptionType::kInt, .integer = 0},
                                {.type = OptionType::kString, .text = "auto"}};
  const CreateArgs args{&host, {{Info().options, Info().option_count}, {values, 2}}, nullptr};
  return std::make_unique<CudaDevice>(args);
}

TEST(CudaDevice, ProbeSaysWhyWhereThereIsNoCard) {
  TestHost host;
  if (Info().probe(&host) == Status::kOk) {
    EXPECT_TRUE(host.failure.empty());
  } else {
    EXPECT_NE(host.failure.find("sm_80"), std::string::npos);
  }
}

TEST(CudaDevice, CopiesThereAndBack) {
  TestHost host;
  const auto device = MakeDevice(host);
  if (device == nullptr) GTEST_SKIP() << host.failure;
  std::vector<float> there(1000);
  for (size_t i = 0; i < there.size(); ++i) there[i] = static_cast<float>(i);
  std::vector<float> back(there.size());
  void* memory = device->Allocate(there.size() * sizeof(float));
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(device->Copy(memory, there.data(), there.size() * sizeof(float), CopyKind::kToDevice),
            Status::kOk);
  EXPECT_EQ(device->Copy(back.data(), memory, back.size() * sizeof(float), CopyKind::kToHost),
            Status::kOk);
  EXPECT_EQ(there, back);
  device->Free(memory);
}

TEST(CudaDevice, NormalisesRowsOfABatch) {
  TestHost host;
  const auto device = MakeDevice(host);
  if (device == nullptr) GTEST_SKIP() << host.failure;
  constexpr int32_t kRows = 3;
  constexpr int32_t kColumns = 64;
  std::vector<float> x(kRows * kColumns);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  const std::vector<float> weight(kColumns, 2.0F);
  void* in = device->Allocate(x.size() * sizeof(float));
  void* out = device->Allocate(x.size() * sizeof(float));
  ASSERT_EQ(device->Copy(in, x.data(), x.size() * sizeof(float), CopyKind::kToDevice), Status::kOk);
  const Buffer input{in, DType::kF32, RowSet::kTokens, kRows, kColumns, kColumns * 4};
  const Buffer output{out, DType::kF32, RowSet::kTokens, kRows, kColumns, kColumns * 4};
  const Weight weights{"w", {DType::kF32, weight.data(), 1, kColumns}, kColumns * 4};
  const RmsNormParams params{1e-6F, 0, kColumns};
  const OpSpec spec{kRmsNorm,       "norm",        {&input, 1},
                    {&output, 1},   {&weights, 1}, &params,
                    sizeof(params), nullptr,       0};
  PlannedOp planned;
  ASSERT_EQ(device->Plan(spec, &planned), Status::kOk) << host.failure;
  const int32_t ids[kRows] = {};
  const SequenceSpan span{0, kRows, 0, 0, 0, -1};
  const Batch batch{kRows, 1, 0, ids, ids, ids, &span, ids, ids, nullptr, &span};
  const Step step{planned.op, 0};
  uint64_t nanoseconds = 0;
  ASSERT_EQ(device->Run({&step, 1}, batch, &nanoseconds), Status::kOk) << host.failure;
  EXPECT_GT(nanoseconds, 0U);
  std::vector<float> y(x.size());
  ASSERT_EQ(device->Copy(y.data(), out, y.size() * sizeof(float), CopyKind::kToHost), Status::kOk);
  for (int32_t r = 0; r < kRows; ++r) {
    double sum = 0;
    for (int32_t c = 0; c < kColumns; ++c) sum += double{x[r * kColumns + c]} * x[r * kColumns + c];
    for (int32_t c = 0; c < kColumns; ++c) {
      EXPECT_NEAR(y[r * kColumns + c], 2 * x[r * kColumns + c] / std::sqrt(sum / kColumns + 1e-6),
                  1e-5);
    }
  }
}

}  // namespace
}  // namespace tenon::cuda
