// SPDX-License-Identifier: Apache-2.0
#include "core/program/memory_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::core {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kGiga = 1000 * 1000 * 1000;

class SmallDevice final : public Device {
 public:
  explicit SmallDevice(uint64_t free_bytes) : free_bytes_(free_bytes) {}
  DeviceInfo Info() const noexcept override {
    return {.kind = "cpu",
            .name = "",
            .isa = "",
            .lanes = 1,
            .memory_bytes = 0,
            .free_bytes = free_bytes_};
  }
  void* Allocate(uint64_t) noexcept override { return nullptr; }
  void Free(void*) noexcept override {}
  Status Copy(void*, const void*, uint64_t, CopyKind) noexcept override { return Status::kOk; }
  Status Run(Span<const Step>, const Batch&, uint64_t*) noexcept override { return Status::kOk; }
  void ParallelFor(int64_t, void (*)(void*, int64_t) noexcept, void*) noexcept override {}
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }

 private:
  uint64_t free_bytes_;
};

class HalfFootprint final : public WeightFootprint {
 public:
  uint64_t WeightBytes(const Node& node) noexcept override { return 10 * node.weights.size; }
};

ProgramMemory Plan() {
  ProgramMemory plan;
  plan.arena_bytes = kGiga / 10;
  plan.pages = 512;
  plan.page_tokens = 16;
  plan.kv_token_bytes = kGiga / 8192;
  plan.kv_bytes = plan.kv_token_bytes * 8192;
  return plan;
}

std::string ErrorOf(uint64_t weights, uint64_t free_bytes) {
  SmallDevice device(free_bytes);
  ProgramLimits limits;
  limits.max_context = 4096;
  const Result<void> checked = CheckMemory(Plan(), weights, limits, device);
  return checked.ok() ? "" : checked.error().message;
}

TEST(MemoryCheck, AcceptsWhatFitsAndWhatIsNotKnown) {
  EXPECT_EQ(ErrorOf(8 * kGiga, 10 * kGiga), "");
  EXPECT_EQ(ErrorOf(8 * kGiga, 0), "");
}

TEST(MemoryCheck, SaysWhatIsNeededAndWhatIsFree) {
  EXPECT_THAT(
      ErrorOf(14 * kGiga + kGiga / 5, 9 * kGiga + kGiga * 4 / 5),
      HasSubstr("it needs 14.2 GB for weights, 1.0 GB for K and V of 8192 tokens and 0.1 GB "
                "for activations; 9.8 GB are free on cpu. Try a model stored in fewer bits"));
}

TEST(MemoryCheck, ProposesAsManySlotsAsFit) {
  EXPECT_THAT(ErrorOf(8 * kGiga, 8 * kGiga + kGiga * 7 / 10), HasSubstr("memory.kv_tokens: 4912"));
  EXPECT_THAT(ErrorOf(8 * kGiga, 8 * kGiga + kGiga * 3 / 10),
              HasSubstr("memory.kv_tokens: 1632 with memory.context_tokens: 1632"));
}

TEST(MemoryCheck, CountsStoredBytesUnlessTheComponentKnowsBetter) {
  ProgramList list;
  const uint32_t x =
      list.AddValue({.name = "x", .dtype = DType::kF32, .rows = RowSet::kTokens, .columns = 64});
  const Operand operand{x, 0, 64};
  Weight weight{};
  weight.tensor = {DType::kQ8_0, nullptr, 3, 64};
  Node node;
  node.kind = kLinear;
  node.name = "linear";
  node.family = Family::kQuant;
  node.inputs = node.outputs = {&operand, 1};
  node.weights = {&weight, 1};
  list.Insert(0, node);
  Makers makers;
  EXPECT_EQ(WeightBytes(list, makers), 3u * 2 * 34);
  HalfFootprint footprint;
  makers.footprint = &footprint;
  EXPECT_EQ(WeightBytes(list, makers), 10u);
}

}  // namespace
}  // namespace tenon::core
