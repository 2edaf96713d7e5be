// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tenon/attention.h"
#include "tenon/decoding.h"
#include "tenon/plugin.h"
#include "tenon/result.h"
#include "tenon/scheduler.h"

namespace tenon {
namespace {

class RecordingHost final : public Host {
 public:
  void Log(LogLevel, Str) noexcept override {}
  Status Fail(Status status, Str text) noexcept override {
    reason = std::string(text);
    return status;
  }
  void* Service(const char*) noexcept override { return nullptr; }

  std::string reason;
};

TEST(Capabilities, NamesTheBitsThatAreMissing) {
  const Capabilities needed = Claim(Capability::kSlidingWindow, Capability::kGroupedLinear);
  const Capabilities offered = Claim(Capability::kGroupedLinear, Capability::kSoftCap);
  EXPECT_TRUE(needed.Has(Capability::kGroupedLinear));
  EXPECT_FALSE(needed.Has(Capability::kSoftCap));
  const Capabilities missing = needed.Missing(offered);
  EXPECT_TRUE(missing.Has(Capability::kSlidingWindow));
  EXPECT_FALSE(missing.Has(Capability::kGroupedLinear));
  EXPECT_TRUE(needed.Missing(needed.Union(offered)).empty());
  EXPECT_TRUE(Capabilities{}.empty());
}

TEST(Capabilities, EveryStoredTypeHasItsOwnBitAndName) {
  Capabilities seen;
  for (uint32_t i = 0; i < kDTypeCount; ++i) {
    const Capability bit = WeightCapability(static_cast<DType>(i));
    EXPECT_FALSE(seen.Has(bit)) << i;
    EXPECT_LT(static_cast<uint32_t>(bit), static_cast<uint32_t>(Capability::kGroupedLinear));
    EXPECT_STREQ(Describe(bit), kDTypeLayouts[i].name);
    seen = seen.With(bit);
  }
  EXPECT_EQ(seen.words[1], 0u);
  EXPECT_TRUE(ClaimWeights(DType::kQ4_1, DType::kF16).Has(WeightCapability(DType::kF16)));
}

TEST(Capabilities, DescribesKnownBitsAndNoOthers) {
  EXPECT_STREQ(Describe(Capability::kSlidingWindow), "sliding window");
  EXPECT_STREQ(Describe(Capability::kLinearBias), "linear with bias");
  EXPECT_EQ(Describe(static_cast<Capability>(7)), nullptr);
  EXPECT_EQ(Describe(static_cast<Capability>(32 + kDTypeCount)), nullptr);
  EXPECT_EQ(Describe(static_cast<Capability>(127)), nullptr);
}

TEST(AttentionParams, NeedsWhatTheFormulaUses) {
  AttentionParams p{};
  EXPECT_TRUE(NeedsOf(p).empty());
  p.window = 512;
  p.has_sinks = 1;
  EXPECT_TRUE(NeedsOf(p).Has(Capability::kSlidingWindow));
  EXPECT_TRUE(NeedsOf(p).Has(Capability::kSinks));
  EXPECT_FALSE(NeedsOf(p).Has(Capability::kSoftCap));
}

TEST(Options, AreFoundByName) {
  const OptionInfo infos[] = {{"tile", OptionType::kInt, "64", "doc"},
                              {"fast", OptionType::kBool, "true", "doc"},
                              {"scale", OptionType::kFloat, "0.5", "doc"},
                              {"kv_type", OptionType::kString, "f16", "doc"}};
  OptionValue values[4];
  values[0].integer = 128;
  values[1].boolean = true;
  values[2].number = 0.25;
  values[3].text = "bf16";
  const Options options{{infos, 4}, {values, 4}};
  EXPECT_EQ(options.Int("tile"), 128);
  EXPECT_TRUE(options.Bool("fast"));
  EXPECT_EQ(options.Float("scale"), 0.25);
  EXPECT_EQ(options.Text("kv_type"), Str("bf16"));
}

TEST(Str, ComparesByContentAndNeedsNoTerminator) {
  const std::string text = "paged attention";
  EXPECT_EQ(Str(text.data(), 5), Str("paged"));
  EXPECT_FALSE(Str("paged") == Str("page"));
  EXPECT_EQ(Str().size, 0u);
  EXPECT_EQ(std::string_view(Str(std::string_view(text))), text);
}

TEST(Span, WalksItsValuesAndBecomesConst) {
  std::vector<int32_t> values = {3, 4, 5};
  const Span<int32_t> span{values.data(), values.size()};
  int32_t sum = 0;
  for (int32_t& value : span) sum += value++;
  EXPECT_EQ(sum, 12);
  const Span<const int32_t> view = span;
  EXPECT_EQ(view[2], 6);
  EXPECT_FALSE(view.empty());
  EXPECT_TRUE(Span<const int32_t>{}.empty());
}

TEST(DType, CountsBytesByBlocks) {
  EXPECT_EQ(BytesOf(DType::kF32, 3), 12u);
  EXPECT_EQ(BytesOf(DType::kQ4_1, 576), 18u * 20u);
  EXPECT_EQ(BytesOf(DType::kQ8_0, 64), 68u);
  EXPECT_EQ(BytesOf(DType::kQ6_K, 512), 420u);
  EXPECT_EQ(BytesOf(DType::kQ4_K, 0), 0u);
}

TEST(RowsOf, CoversEveryRowOnceForAnyNumberOfLanes) {
  for (int32_t rows : {0, 1, 7, 64, 2147483647}) {
    for (int32_t count : {1, 2, 3, 16, 65}) {
      int32_t next = 0;
      for (int32_t i = 0; i < count; ++i) {
        const RowRange range =
            RowsOf(Lane{i, count, nullptr, nullptr, nullptr, nullptr, nullptr}, rows);
        EXPECT_EQ(range.begin, next);
        EXPECT_LE(range.begin, range.end);
        next = range.end;
      }
      EXPECT_EQ(next, rows);
    }
  }
}

TEST(Lane, ClaimsPiecesInOrder) {
  int64_t next = 0;
  const Lane alone{0, 1, nullptr, &next, nullptr, nullptr};
  EXPECT_EQ(alone.Claim(), 0);
  EXPECT_EQ(alone.Claim(4), 1);
  const Lane shared{1, 2, nullptr, &next, nullptr, nullptr};
  EXPECT_EQ(shared.Claim(), 5);
  EXPECT_EQ(next, 6);
}

TEST(BlocksNeeded, CountsOnlyWhatIsNotHeld) {
  SequenceState s{};
  s.computed_tokens = 15;
  s.blocks = 1;
  EXPECT_EQ(BlocksNeeded(s, 1, 16), 0);
  EXPECT_EQ(BlocksNeeded(s, 2, 16), 1);
  EXPECT_EQ(BlocksNeeded(s, 18, 16), 2);
  s.blocks = 5;
  EXPECT_EQ(BlocksNeeded(s, 18, 16), 0);
}

Result<int> Half(int n) {
  if (n % 2 != 0) return Error{Status::kInvalid, "not even", "TN000"};
  return n / 2;
}

Result<void> CheckHalves(int n) {
  TENON_RETURN_IF_ERROR(Half(n));
  return {};
}

TEST(Result, HoldsTheValueOrTheError) {
  EXPECT_EQ(*Half(8), 4);
  const Result<int> failed = Half(3);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, "TN000");
  EXPECT_TRUE(CheckHalves(2).ok());
  EXPECT_EQ(CheckHalves(5).error().message, "not even");
}

TEST(Result, MovesAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(7);
  std::unique_ptr<int> owned = *std::move(made);
  ASSERT_NE(owned, nullptr);
  EXPECT_EQ(*owned, 7);
}

class Doubler final : public Component, public LogitProcessor {
 public:
  explicit Doubler(const CreateArgs& args) {
    if (args.device != nullptr) throw std::invalid_argument("doubler: takes no device");
  }
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint&, Span<float> logits) noexcept override {
    for (float& logit : logits) logit *= 2;
  }
};

constexpr ComponentInfo kDoubler =
    Describe<Doubler>(Family::kDecoding, "acme.doubler", "Doubles logits.", 0, {});

TEST(Describe, MakesAComponentThatOffersItsInterface) {
  RecordingHost host;
  const CreateArgs args{&host, {}, nullptr};
  Component* component = nullptr;
  ASSERT_EQ(kDoubler.create(&args, &component), Status::kOk);
  LogitProcessor* processor = QueryFor<LogitProcessor>(*component);
  ASSERT_NE(processor, nullptr);
  float logits[] = {1, -2};
  processor->Apply({}, {logits, 2});
  EXPECT_EQ(logits[1], -4);
  EXPECT_EQ(component->Query("tenon.decoding.sampler/1"), nullptr);
  kDoubler.destroy(component);
}

TEST(Describe, TurnsAConstructorsExceptionIntoAReason) {
  RecordingHost host;
  const CreateArgs args{&host, {}, reinterpret_cast<Device*>(&host)};
  Component* component = nullptr;
  EXPECT_EQ(kDoubler.create(&args, &component), Status::kInvalid);
  EXPECT_EQ(component, nullptr);
  EXPECT_EQ(host.reason, "doubler: takes no device");
}

TEST(Describe, StampsSizesAndDefaults) {
  EXPECT_EQ(kDoubler.size, sizeof(ComponentInfo));
  EXPECT_EQ(kDoubler.option_count, 0u);
  EXPECT_EQ(kDoubler.probe, nullptr);
}

}  // namespace
}  // namespace tenon
