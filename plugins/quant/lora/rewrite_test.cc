// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "plugins/quant/lora/lora_rig.h"

namespace tenon::quant {
namespace {

using ::testing::HasSubstr;

// Appends an op that reads the matrix `weight`.
void Append(parallel::ListProgram& program, const char* kind, const char* name, Weight weight,
            Operand in, Operand out, int32_t matrices = 1) {
  const LinearParams params{matrices, 0, 0};
  const std::vector<Weight> weights(static_cast<size_t>(matrices), weight);
  Node node;
  node.kind = kind;
  node.name = name;
  node.family = Family::kQuant;
  node.inputs = {&in, 1};
  node.outputs = {&out, 1};
  node.weights = {weights.data(), weights.size()};
  node.params = &params;
  node.params_bytes = sizeof(params);
  program.Insert(program.Count(), node);
}

std::string FailureOf(const TestDeltas& deltas, LoraRig& rig) {
  const int32_t count = rig.program.Count();
  const Status status = rig.lora.adapter().Rewrite(rig.program, deltas.View());
  EXPECT_EQ(rig.program.Count() == count, status != Status::kOk);
  return status == Status::kInvalid ? rig.host.failure : "rewritten";
}

TEST(LoraRewrite, InsertsOneOpBehindEachLinearThatHasDeltas) {
  LoraRig rig(1, "", {8, 8}, 16, 4);
  const float stored = 0;
  const Operand x{0, 0, 16}, out{1, 0, 16};
  const Weight other{"other", {DType::kF32, &stored, 16, 16}, 64};
  Append(rig.program, kLinear, "layers.0.output", other, x, out);
  Append(rig.program, kLinear, "layers.1.qkv", {"last", {DType::kF32, &stored, 16, 16}, 64}, x,
         out);
  TestDeltas deltas;
  deltas.Add(0, "m1", 4, 16, 8, 1, DType::kF32);
  deltas.Add(0, "m0", 4, 16, 8, 1, DType::kF32);
  deltas.Add(1, "last", 2, 16, 16, 1, DType::kF32);
  ASSERT_EQ(FailureOf(deltas, rig), "rewritten");
  ASSERT_EQ(rig.program.Count(), 5);
  const char* names[] = {"layers.0.qkv", "layers.0.qkv.lora", "layers.0.output", "layers.1.qkv",
                         "layers.1.qkv.lora"};
  for (int32_t i = 0; i < 5; ++i) EXPECT_EQ(rig.program.At(i).name, Str(names[i]));
  const Node node = rig.program.At(1);
  EXPECT_EQ(node.kind, Str("lora"));
  EXPECT_EQ(node.maker, static_cast<OpMaker*>(&rig.lora.adapter()));
  ASSERT_EQ(node.inputs.size, 2u);
  EXPECT_EQ(node.inputs[0].value, 0u);
  EXPECT_EQ(node.inputs[1].value, 1u);
  ASSERT_EQ(node.outputs.size, 1u);
  EXPECT_EQ(node.outputs[0].value, 1u);
}

TEST(LoraRewrite, NothingToDoIsNoFailure) {
  LoraRig rig(1, "", {8}, 16, 4);
  EXPECT_EQ(rig.lora.adapter().Rewrite(rig.program, {}), Status::kOk);
  EXPECT_EQ(rig.program.Count(), 1);
}

TEST(LoraRewrite, NamesEveryMatrixThatNoLinearReads) {
  LoraRig rig(1, "", {8, 8}, 16, 4);
  const float stored = 0;
  Append(rig.program, kGroupedLinear, "layers.0.experts",
         {"expert.3", {DType::kF32, &stored, 8, 16}, 64}, {0, 0, 16}, {1, 0, 8});
  Append(rig.program, kEmbed, "embed", {"m1", {DType::kF32, &stored, 8, 16}, 64}, {0, 0, 16},
         {1, 0, 16});
  TestDeltas deltas;
  deltas.Add(0, "m0", 4, 16, 8, 1, DType::kF32);
  deltas.Add(0, "absent", 4, 16, 8, 1, DType::kF32);
  deltas.Add(0, "expert.3", 4, 16, 8, 1, DType::kF32);
  deltas.Add(0, "m1", 4, 16, 8, 1, DType::kF32);
  const std::string failure = FailureOf(deltas, rig);
  EXPECT_THAT(failure, HasSubstr("\"absent\": no linear reads"));
  EXPECT_THAT(failure, HasSubstr("\"expert.3\": layers.0.experts reads it"));
  EXPECT_THAT(failure, HasSubstr("\"m1\": embed reads it"));
  EXPECT_THAT(failure, ::testing::Not(HasSubstr("\"m0\"")));
}

TEST(LoraRewrite, RefusesFactorsThatDoNotFit) {
  const auto failure = [](auto change) {
    LoraRig rig(1, "", {8}, 16, 4);
    TestDeltas deltas;
    deltas.Add(0, "m0", 4, 16, 8, 1, DType::kF32);
    change(deltas.deltas[0]);
    return FailureOf(deltas, rig);
  };
  EXPECT_EQ(failure([](AdapterDelta&) {}), "rewritten");
  EXPECT_THAT(failure([](AdapterDelta& d) { d.a.columns = 15; }), HasSubstr("[8, 15]"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.b.rows = 9; }), HasSubstr("[9, 16]"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.b.columns = 3; }), HasSubstr("do not multiply"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.a.rows = d.b.columns = 257; }), HasSubstr("257"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.scale = NAN; }), HasSubstr("finite"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.adapter = -1; }), HasSubstr("below 0"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.b.dtype = DType::kQ8_0; }), HasSubstr("q8_0"));
  EXPECT_THAT(failure([](AdapterDelta& d) { d.a.data = nullptr; }), HasSubstr("empty"));
}

TEST(LoraRewrite, RefusesALinearThatWritesOverItsInput) {
  LoraRig rig(1, "", {8}, 16, 4);
  const float stored = 0;
  Append(rig.program, kLinear, "square", {"square", {DType::kF32, &stored, 16, 16}, 64}, {0, 0, 16},
         {0, 0, 16});
  TestDeltas deltas;
  deltas.Add(0, "square", 4, 16, 16, 1, DType::kF32);
  EXPECT_EQ(rig.lora.adapter().Rewrite(rig.program, deltas.View()), Status::kUnsupported);
  EXPECT_THAT(rig.host.failure, HasSubstr("square: it writes over its own input"));
}

// A file may hold q, k and v as one matrix, of which a linear reads slices of rows.
TEST(LoraRewrite, FollowsSlicesOfRowsOfOneMatrix) {
  const std::vector<float> stored(static_cast<size_t>(24 * 16));
  TestDeltas deltas;
  deltas.Add(0, "fused", 4, 16, 24, 1, DType::kF16);
  parallel::ListProgram program;
  const Operand x{program.AddValue({"x", DType::kF32, RowSet::kTokens, 16}), 0, 16};
  const Operand out{program.AddValue({"out", DType::kF32, RowSet::kTokens, 24}), 0, 24};
  const auto slice = [&](int64_t first, int64_t rows) {
    return Weight{"fused", {DType::kF32, stored.data() + first * 16, rows, 16}, 64};
  };
  const Weight weights[] = {slice(16, 8), slice(0, 16)};
  const LinearParams params{2, 0, 0};
  Node node;
  node.kind = kLinear;
  node.name = "qkv";
  node.inputs = {&x, 1};
  node.outputs = {&out, 1};
  node.weights = {weights, 2};
  node.params = &params;
  node.params_bytes = sizeof(params);
  program.Insert(0, node);
  const LoraSites found = FindLoraSites(program, deltas.View());
  ASSERT_EQ(found.problem, "");
  ASSERT_EQ(found.sites.size(), 1u);
  const std::vector<LoraPart>& parts = found.sites[0].parts;
  ASSERT_EQ(parts.size(), 2u);
  const char* b = static_cast<const char*>(deltas.deltas[0].b.data);
  EXPECT_EQ(parts[0].first_column, 0);
  EXPECT_EQ(parts[0].b.data, b + 16 * 4 * 2);
  EXPECT_EQ(parts[0].b.rows, 8);
  EXPECT_EQ(parts[1].first_column, 8);
  EXPECT_EQ(parts[1].b.data, b);
  EXPECT_EQ(parts[1].b.rows, 16);
}

}  // namespace
}  // namespace tenon::quant
