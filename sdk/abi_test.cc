// SPDX-License-Identifier: Apache-2.0
// The layout of everything that crosses the plugin boundary, as recorded for ABI 1
// (tenon_plugin_v1), which is frozen with the first release. From then on a line that no longer
// holds means that plugins built before would read wrong memory: give kAbiVersion the next number
// instead of changing the line.
#include <gtest/gtest.h>

#include <cstddef>
#include <type_traits>

#include "tenon/attention.h"
#include "tenon/decoding.h"
#include "tenon/device.h"
#include "tenon/parallel.h"
#include "tenon/plugin.h"
#include "tenon/program.h"
#include "tenon/quant.h"
#include "tenon/scheduler.h"

namespace tenon {
namespace {

static_assert(kAbiVersion == 1);

static_assert(sizeof(Status) == 4 && alignof(Status) == 4);
static_assert(sizeof(Family) == 4 && alignof(Family) == 4);
static_assert(sizeof(Span<int32_t>) == 16 && alignof(Span<int32_t>) == 8);
static_assert(sizeof(Str) == 16 && alignof(Str) == 8);
static_assert(sizeof(DType) == 4 && alignof(DType) == 4);
static_assert(sizeof(DTypeLayout) == 16 && alignof(DTypeLayout) == 8);
static_assert(sizeof(Tensor) == 32 && alignof(Tensor) == 8);
static_assert(offsetof(Tensor, data) == 8);
static_assert(offsetof(Tensor, columns) == 24);
static_assert(sizeof(Capability) == 4 && alignof(Capability) == 4);
static_assert(sizeof(Capabilities) == 16 && alignof(Capabilities) == 8);
static_assert(sizeof(OptionInfo) == 64 && alignof(OptionInfo) == 8);
static_assert(offsetof(OptionInfo, minimum) == 32);
static_assert(offsetof(OptionInfo, choices) == 48);
static_assert(offsetof(OptionInfo, unit) == 56);
static_assert(sizeof(OptionValue) == 40 && alignof(OptionValue) == 8);
static_assert(offsetof(OptionValue, integer) == 8);
static_assert(offsetof(OptionValue, text) == 24);
static_assert(sizeof(Options) == 32 && alignof(Options) == 8);
static_assert(offsetof(Options, values) == 16);
static_assert(sizeof(CreateArgs) == 48 && alignof(CreateArgs) == 8);
static_assert(offsetof(CreateArgs, options) == 8);
static_assert(offsetof(CreateArgs, device) == 40);
static_assert(sizeof(ComponentInfo) == 88 && alignof(ComponentInfo) == 8);
static_assert(offsetof(ComponentInfo, name) == 8);
static_assert(offsetof(ComponentInfo, rank) == 24);
static_assert(offsetof(ComponentInfo, capabilities) == 32);
static_assert(offsetof(ComponentInfo, options) == 48);
static_assert(offsetof(ComponentInfo, create) == 64);
static_assert(offsetof(ComponentInfo, probe) == 80);
static_assert(sizeof(PluginInfo) == 56 && alignof(PluginInfo) == 8);
static_assert(offsetof(PluginInfo, abi) == 4);
static_assert(offsetof(PluginInfo, stamp) == 8);
static_assert(offsetof(PluginInfo, id) == 16);
static_assert(offsetof(PluginInfo, components) == 40);
static_assert(offsetof(PluginInfo, component_count) == 48);
static_assert(sizeof(SequenceSpan) == 24 && alignof(SequenceSpan) == 4);
static_assert(sizeof(Batch) == 80 && alignof(Batch) == 8);
static_assert(offsetof(Batch, token_ids) == 16);
static_assert(offsetof(Batch, logit_row_tokens) == 56);
static_assert(offsetof(Batch, tree_mask) == 64);
static_assert(offsetof(Batch, host_spans) == 72);
static_assert(sizeof(Lane) == 48 && alignof(Lane) == 8);
static_assert(offsetof(Lane, stream) == 8);
static_assert(offsetof(Lane, meet) == 32);
static_assert(offsetof(Lane, failure) == 40);
static_assert(sizeof(Buffer) == 32 && alignof(Buffer) == 8);
static_assert(offsetof(Buffer, dtype) == 8);
static_assert(offsetof(Buffer, max_rows) == 16);
static_assert(offsetof(Buffer, row_bytes) == 24);
static_assert(sizeof(Weight) == 104 && alignof(Weight) == 8);
static_assert(offsetof(Weight, row_bytes) == 48);
static_assert(offsetof(Weight, scales) == 56);
static_assert(offsetof(Weight, scale_columns) == 96);
static_assert(sizeof(OpSpec) == 112 && alignof(OpSpec) == 8);
static_assert(offsetof(OpSpec, inputs) == 32);
static_assert(offsetof(OpSpec, weights) == 64);
static_assert(offsetof(OpSpec, params) == 80);
static_assert(offsetof(OpSpec, state_bytes) == 104);
static_assert(sizeof(PlannedOp) == 32 && alignof(PlannedOp) == 8);
static_assert(offsetof(PlannedOp, split) == 8);
static_assert(offsetof(PlannedOp, scratch_bytes) == 24);
static_assert(sizeof(EmbedParams) == 4 && alignof(EmbedParams) == 4);
static_assert(sizeof(RmsNormParams) == 12 && alignof(RmsNormParams) == 4);
static_assert(sizeof(RopeParams) == 20 && alignof(RopeParams) == 4);
static_assert(sizeof(GluParams) == 4 && alignof(GluParams) == 4);
static_assert(sizeof(AddParams) == 4 && alignof(AddParams) == 4);
static_assert(sizeof(SoftCapParams) == 4 && alignof(SoftCapParams) == 4);
static_assert(sizeof(GatherRowsParams) == 4 && alignof(GatherRowsParams) == 4);
static_assert(sizeof(LinearParams) == 12 && alignof(LinearParams) == 4);
static_assert(sizeof(AttentionParams) == 36 && alignof(AttentionParams) == 4);
static_assert(offsetof(AttentionParams, scale) == 20);
static_assert(offsetof(AttentionParams, has_sinks) == 32);
static_assert(sizeof(RopeAttentionParams) == 56 && alignof(RopeAttentionParams) == 4);
static_assert(offsetof(RopeAttentionParams, rope) == 36);
static_assert(sizeof(ClampedGluParams) == 8 && alignof(ClampedGluParams) == 4);
static_assert(sizeof(ActivateParams) == 4 && alignof(ActivateParams) == 4);
static_assert(sizeof(LayerNormParams) == 4 && alignof(LayerNormParams) == 4);
static_assert(sizeof(EmbedPositionsParams) == 4 && alignof(EmbedPositionsParams) == 4);
static_assert(sizeof(RouteParams) == 32 && alignof(RouteParams) == 4);
static_assert(offsetof(RouteParams, score) == 16);
static_assert(sizeof(CombineParams) == 12 && alignof(CombineParams) == 4);
static_assert(sizeof(GroupedLinearParams) == 20 && alignof(GroupedLinearParams) == 4);
static_assert(sizeof(LatentAttentionParams) == 20 && alignof(LatentAttentionParams) == 4);
static_assert(sizeof(BidirectionalAttentionParams) == 16 &&
              alignof(BidirectionalAttentionParams) == 4);
static_assert(sizeof(AdapterDelta) == 96 && alignof(AdapterDelta) == 8);
static_assert(offsetof(AdapterDelta, a) == 24);
static_assert(offsetof(AdapterDelta, scale) == 88);
static_assert(sizeof(AllReduceParams) == 4 && alignof(AllReduceParams) == 4);
static_assert(sizeof(KvLayout) == 16 && alignof(KvLayout) == 8);
static_assert(sizeof(DeviceInfo) == 72 && alignof(DeviceInfo) == 8);
static_assert(offsetof(DeviceInfo, lanes) == 48);
static_assert(offsetof(DeviceInfo, free_bytes) == 64);
static_assert(sizeof(Step) == 16 && alignof(Step) == 8);
static_assert(sizeof(TokenBias) == 8 && alignof(TokenBias) == 4);
static_assert(sizeof(SamplingParams) == 56 && alignof(SamplingParams) == 8);
static_assert(offsetof(SamplingParams, seed) == 32);
static_assert(offsetof(SamplingParams, logit_bias) == 40);
static_assert(sizeof(DecodePoint) == 32 && alignof(DecodePoint) == 8);
static_assert(offsetof(DecodePoint, params) == 24);
static_assert(sizeof(SequenceState) == 56 && alignof(SequenceState) == 8);
static_assert(offsetof(SequenceState, priority) == 16);
static_assert(offsetof(SequenceState, preemptions) == 36);
static_assert(offsetof(SequenceState, shared_blocks) == 40);
static_assert(offsetof(SequenceState, since_us) == 48);
static_assert(sizeof(SchedulerView) == 64 && alignof(SchedulerView) == 8);
static_assert(offsetof(SchedulerView, running) == 24);
static_assert(offsetof(SchedulerView, max_sequences) == 56);
static_assert(sizeof(Grant) == 16 && alignof(Grant) == 8);
static_assert(sizeof(SchedulePlan) == 40 && alignof(SchedulePlan) == 8);
static_assert(offsetof(SchedulePlan, preempted) == 16);
static_assert(offsetof(SchedulePlan, wait_us) == 32);
static_assert(sizeof(ValueInfo) == 32 && alignof(ValueInfo) == 8);
static_assert(offsetof(ValueInfo, columns) == 24);
static_assert(sizeof(Operand) == 12 && alignof(Operand) == 4);
static_assert(sizeof(Node) == 128 && alignof(Node) == 8);
static_assert(offsetof(Node, maker) == 40);
static_assert(offsetof(Node, weights) == 80);
static_assert(offsetof(Node, needs) == 112);

// Passed by value or read across the boundary: no constructor or destructor may take part.
template <typename... T>
constexpr bool AllPlain() {
  return ((std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>)&&...);
}
static_assert(AllPlain<Span<float>, Str, Tensor, Capabilities, OptionInfo, OptionValue, CreateArgs,
                       ComponentInfo, PluginInfo, SequenceSpan, Batch, Lane, Buffer, Weight, OpSpec,
                       PlannedOp, KvLayout, AdapterDelta, DeviceInfo, Step, TokenBias,
                       SamplingParams, DecodePoint, SequenceState, SchedulerView, Grant,
                       SchedulePlan, ValueInfo, Operand, Node>());

// One table pointer, no virtual destructor (the two compilers' deleting destructors differ).
template <typename... T>
constexpr bool AllInterfaces() {
  return (
      (std::is_abstract_v<T> && !std::has_virtual_destructor_v<T> && sizeof(T) == sizeof(void*)) &&
      ...);
}
static_assert(AllInterfaces<Host, Component, Op, OpMaker, Attention, Quant, WeightFootprint,
                            Adapter, Device, Scheduler, LogitProcessor, Sampler, Drafter,
                            Communicator, Strategy, ProgramEditor, Pass>());

TEST(Abi, EnumeratorsKeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(Status::kInternal), 7);
  EXPECT_EQ(static_cast<int>(Family::kDecoding), 5);
  EXPECT_EQ(static_cast<int>(OptionType::kString), 3);
  EXPECT_EQ(static_cast<int>(DType::kQ4_1), 7);
  EXPECT_EQ(static_cast<int>(DType::kQ6_K), 13);
  EXPECT_EQ(static_cast<int>(Capability::kSlidingWindow), 8);
  EXPECT_EQ(static_cast<int>(Capability::kKvF32), 16);
  EXPECT_EQ(static_cast<int>(Capability::kWeight), 32);
  EXPECT_EQ(static_cast<int>(Capability::kBidirectional), 13);
  EXPECT_EQ(static_cast<int>(Capability::kGroupedLinear), 64);
  EXPECT_EQ(static_cast<int>(Capability::kAdapter), 67);
  EXPECT_EQ(static_cast<int>(RouteScore::kSoftmaxChosen), 2);
  EXPECT_EQ(static_cast<int>(GroupScore::kBestTwo), 1);
  EXPECT_EQ(static_cast<int>(RopePairs::kNeighbours), 1);
  EXPECT_EQ(static_cast<int>(Activation::kGelu), 2);
  EXPECT_EQ(static_cast<int>(RowSet::kLogitRows), 1);
  EXPECT_EQ(static_cast<int>(Split::kAny), 1);
}

TEST(Abi, NamesKeepTheirSpelling) {
  EXPECT_STREQ(kEntrySymbol, "tenon_plugin_v1");
  EXPECT_STREQ(Attention::kName, "tenon.attention/1");
  EXPECT_STREQ(Quant::kName, "tenon.quant/1");
  EXPECT_STREQ(WeightFootprint::kName, "tenon.quant.footprint/1");
  EXPECT_STREQ(Adapter::kName, "tenon.quant.adapter/1");
  EXPECT_STREQ(Device::kName, "tenon.device/1");
  EXPECT_STREQ(Scheduler::kName, "tenon.scheduler/1");
  EXPECT_STREQ(LogitProcessor::kName, "tenon.decoding.processor/1");
  EXPECT_STREQ(Sampler::kName, "tenon.decoding.sampler/1");
  EXPECT_STREQ(Drafter::kName, "tenon.decoding.drafter/1");
  EXPECT_STREQ(Communicator::kName, "tenon.parallel.communicator/1");
  EXPECT_STREQ(Strategy::kName, "tenon.parallel.strategy/1");
  EXPECT_STREQ(Pass::kName, "tenon.pass/1");
}

}  // namespace
}  // namespace tenon
