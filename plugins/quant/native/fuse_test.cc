// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/fuse.h"

#include <gtest/gtest.h>

#include <functional>

#include "plugins/quant/native/fused_linear.h"
#include "plugins/quant/native/late_add.h"
#include "plugins/quant/native/native.h"
#include "plugins/quant/native/test_program.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_native();

namespace tenon::quant {
namespace {

using Kinds = std::vector<std::string>;

struct BlockShape {
  int32_t hidden, ffn, qkv;
  DType gate_type, other_type;
  Activation activation;
  bool bias;
};

// A feed-forward part and the next layer's q, k, v: with norms behind the branches (Gemma) or
// without (Llama).
class Block {
 public:
  Block(const BlockShape& shape, bool post_norms, int32_t max_rows)
      : program(max_rows), shape_(shape), post_norms_(post_norms) {
    hidden = program.Value("hidden", shape.hidden);
    branch_ = program.Value("branch", shape.hidden);
    last_branch_ = program.Value("last_branch", shape.hidden);
    normed = program.Value("normed", shape.hidden);
    gate_up_ = program.Value("gate_up", 2 * shape.ffn);
    glu = program.Value("glu", shape.ffn);
    normed_again_ = program.Value("normed_again", shape.hidden);
    qkv = program.Value("qkv", 2 * shape.qkv);
    if (post_norms) AppendPostNorm("attention", branch_);
    AppendNorm("ffn_norm", hidden, normed);
    AppendLinear("gate_up", normed, gate_up_, shape.gate_type, {shape.ffn, shape.ffn});
    program.Append(kGlu, "glu", Family::kDevice,
                   {{gate_up_, 0, shape.ffn}, {gate_up_, shape.ffn, shape.ffn}}, {All(glu)},
                   GluParams{shape.activation});
    AppendLinear("down", glu, post_norms ? last_branch_ : hidden, shape.other_type, {shape.hidden},
                 !post_norms);
    if (post_norms) AppendPostNorm("ffn", last_branch_);
    AppendNorm("next_norm", hidden, normed_again_);
    AppendLinear("qkv", normed_again_, qkv, shape.other_type, {shape.qkv, shape.qkv});
    program.Append(kAdd, "after", Family::kDevice, {All(qkv), All(qkv)}, {All(qkv)}, AddParams{});
  }

  Operand All(uint32_t value) const { return {value, 0, program.Value(value).columns}; }

  void AppendNorm(const std::string& name, uint32_t in, uint32_t out) {
    const int32_t columns = program.Value(in).columns;
    program.Append(kRmsNorm, name, Family::kDevice, {All(in)}, {All(out)},
                   RmsNormParams{1e-5f, 1.0f, columns},
                   {program.Random(DType::kF32, 1, columns, ++seed_)});
  }

  void AppendLinear(const std::string& name, uint32_t in, uint32_t out, DType type,
                    const std::vector<int32_t>& rows, bool residual = false) {
    const int32_t k = program.Value(in).columns;
    std::vector<Weight> weights;
    for (const int32_t n : rows) weights.push_back(program.Random(type, n, k, ++seed_));
    for (const int32_t n : rows) {
      if (shape_.bias) weights.push_back(program.Random(DType::kF32, 1, n, ++seed_));
    }
    std::vector<Operand> inputs = {All(in)};
    if (residual) inputs.push_back(All(out));
    program.Append(kLinear, name, Family::kQuant, inputs, {All(out)},
                   LinearParams{static_cast<int32_t>(rows.size()), shape_.bias, residual}, weights);
  }

  TestProgram program;
  uint32_t hidden, normed, glu, qkv;

 private:
  void AppendPostNorm(const std::string& name, uint32_t branch) {
    AppendNorm(name + "_norm", branch, branch);
    program.Append(kAdd, name + "_add", Family::kDevice, {All(hidden), All(branch)}, {All(hidden)},
                   AddParams{});
  }

  BlockShape shape_;
  bool post_norms_;
  uint32_t seed_ = 100;
  uint32_t branch_, last_branch_, gate_up_, normed_again_;
};

constexpr BlockShape kShape{64, 96, 40, DType::kQ4_1, DType::kQ8_0, Activation::kSilu, false};

class Native {
 public:
  Native(int32_t lanes, const char* isa, const char* activations = "int8",
         const char* fuse = "true")
      : device(lanes, isa),
        component(*tenon_plugin_v1_quant_native()->components[0], host, device, activations,
                  nullptr, fuse) {}

  void Fuse(TestProgram& program) {
    ASSERT_EQ(QueryFor<Pass>(component.component())->Rewrite(program), Status::kOk);
  }

  TestHost host;
  TestDevice device;
  TestComponent component;
};

Kinds KindsAfterFusing(Block& block, const char* activations = "int8", const char* fuse = "true") {
  Native native(1, "", activations, fuse);
  native.Fuse(block.program);
  return block.program.Kinds();
}

void ExpectSameBits(const BlockShape& shape, bool post_norms, int32_t lanes, int32_t tokens,
                    const cpu::IsaLevel& level) {
  SCOPED_TRACE(std::string(level.name) + ", " + std::to_string(lanes) + " lanes, " +
               std::to_string(tokens) + " rows, hidden " + std::to_string(shape.hidden));
  Block apart(shape, post_norms, 66), joined(shape, post_norms, 66);
  Native one(1, level.name), all(lanes, level.name);
  all.Fuse(joined.program);
  apart.program.Run(one.host, one.device, one.component.quant(), level.isa, tokens);
  joined.program.Run(all.host, all.device, all.component.quant(), level.isa, tokens);
  EXPECT_EQ(joined.program.Bytes(joined.hidden, tokens), apart.program.Bytes(apart.hidden, tokens));
  EXPECT_EQ(joined.program.Bytes(joined.qkv, tokens), apart.program.Bytes(apart.qkv, tokens));
}

TEST(FuseLinears, GivesTheBitsOfTheOpsApart) {
  constexpr BlockShape kShapes[] = {
      kShape,
      {96, 32, 17, DType::kQ8_0, DType::kQ5_0, Activation::kGeluTanh, true},
      {256, 256, 33, DType::kQ4_K, DType::kQ6_K, Activation::kGelu, true},
  };
  for (uint32_t i = 0; i < cpu::kIsaCount; ++i) {
    const cpu::IsaLevel& level = cpu::IsaLevels()[i];
    if (!level.available) continue;
    for (const BlockShape& shape : kShapes) {
      for (const bool post_norms : {false, true}) {
        for (const int32_t tokens : {1, 8, 9, 66}) {
          if (level.isa == cpu::Isa::kGeneric && tokens > 9) continue;  // slow, and no other path
          ExpectSameBits(shape, post_norms, tokens == 1 ? 3 : 2, tokens, level);
        }
      }
    }
  }
}

TEST(FuseLinears, LeavesOneMeetingALinear) {
  Block llama(kShape, false, 4);
  EXPECT_EQ(KindsAfterFusing(llama), (Kinds{kFusedLinear, kFusedLinear, kFusedLinear, kAdd}));
  Block gemma(kShape, true, 4);
  EXPECT_EQ(KindsAfterFusing(gemma),
            (Kinds{kFusedLinear, kLateAdd, kFusedLinear, kFusedLinear, kLateAdd, kAdd}));
}

TEST(FuseLinears, LeavesAllAloneWithF32ActivationsOrWhenToldTo) {
  Block block(kShape, true, 4);
  const Kinds before = block.program.Kinds();
  EXPECT_EQ(KindsAfterFusing(block, "f32"), before);
  EXPECT_EQ(KindsAfterFusing(block, "int8", "false"), before);
}

// What `edit` does to the Llama block, and which kinds are then left of its feed-forward part.
void ExpectLeft(const char* what, const std::function<void(Block&)>& edit, const Kinds& kinds) {
  SCOPED_TRACE(what);
  Block block(kShape, false, 4);
  edit(block);
  const Kinds after = KindsAfterFusing(block);
  EXPECT_EQ(Kinds(after.begin(), after.begin() + static_cast<int64_t>(kinds.size())), kinds);
}

TEST(FuseLinears, LeavesAValueThatOthersReadWhereItIs) {
  const auto read_again = [](uint32_t Block::*value) {
    return [value](Block& block) {
      const Operand operand = block.All(block.*value);
      const uint32_t copy = block.program.Value("copy", operand.columns);
      block.program.Append(kAdd, "reader", Family::kDevice, {operand, operand}, {block.All(copy)},
                           AddParams{});
    };
  };
  ExpectLeft("the norm's result", read_again(&Block::normed), {kRmsNorm, kFusedLinear});
  // The glu then stores f32, and down rounds for itself.
  ExpectLeft("the glu's result", read_again(&Block::glu), {kFusedLinear, kLinear});
}

TEST(FuseLinears, LeavesWhatAnotherPassPutThere) {
  const Kinds apart = {kRmsNorm, kFusedLinear};
  const auto edit_node = [](int32_t at, const std::function<void(Node&)>& edit) {
    return [at, edit](Block& block) {
      Node node = block.program.At(at);
      edit(node);
      block.program.Replace(at, node);
    };
  };
  OpMaker* other = reinterpret_cast<OpMaker*>(8);
  ExpectLeft("a norm of another maker", edit_node(0, [&](Node& n) { n.maker = other; }), apart);
  ExpectLeft("a linear of another maker", edit_node(1, [&](Node& n) { n.maker = other; }),
             {kRmsNorm, kLinear, kGlu});
  const RmsNormParams heads{1e-5f, 0, 32};
  ExpectLeft("a norm of heads", edit_node(0, [&](Node& n) { n.params = &heads; }), apart);
  ExpectLeft("a write between",
             [](Block& block) {
               Node add = block.program.At(block.program.Count() - 1);
               const Operand hidden = block.All(block.hidden), both[] = {hidden, hidden};
               add.inputs = {both, 2};
               add.outputs = {&hidden, 1};
               block.program.Insert(1, add);
             },
             {kRmsNorm, kAdd, kFusedLinear});
}

TEST(FuseLinears, LeavesMatricesThatAreNotPacked) {
  BlockShape shape = kShape;
  shape.gate_type = DType::kF16;
  Block block(shape, false, 4);
  EXPECT_EQ(KindsAfterFusing(block), (Kinds{kRmsNorm, kLinear, kGlu, kLinear, kFusedLinear, kAdd}));
}

TEST(FuseLinears, KnowsItsFootprintBeforehand) {
  Block block(kShape, false, 4);
  Native native(1, "");
  native.Fuse(block.program);
  auto* footprint = QueryFor<WeightFootprint>(native.component.component());
  EXPECT_EQ(footprint->WeightBytes(block.program.At(0)), 2u * 96 * 64 / 32 * 20);
}

TEST(FusedLinear, RefusesOperandsThatDoNotFit) {
  Block block(kShape, false, 4);
  Native native(1, "");
  native.Fuse(block.program);
  Node node = block.program.At(0);
  const OpSpec spec{node.kind,   node.name,         {},      {}, node.weights,
                    node.params, node.params_bytes, nullptr, 0};
  PlannedOp planned;
  EXPECT_EQ(native.component.quant().Plan(spec, &planned), Status::kInvalid);
  EXPECT_NE(native.host.failure.find("gate_up: the operands"), std::string::npos);
}

}  // namespace
}  // namespace tenon::quant
