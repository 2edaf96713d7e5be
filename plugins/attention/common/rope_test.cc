// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>

#include "plugins/attention/common/attention_cases.h"
#include "plugins/attention/common/rope_pass.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_paged();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_flash();

namespace tenon::attention {
namespace {

const PluginInfo& Paged() { return *tenon_plugin_v1_attention_paged(); }
const PluginInfo& Flash() { return *tenon_plugin_v1_attention_flash(); }

RigRope RopeFor(const AttentionParams& layer, int32_t rotary_dim, RopePairs pairs) {
  RigRope rope;
  rope.params = {layer.heads + layer.kv_heads, layer.head_dim, rotary_dim, pairs, 1.1f};
  for (int32_t i = 0; i < rotary_dim / 2; ++i) {
    rope.inverse_frequency.push_back(std::pow(10000.0f, -2.0f * static_cast<float>(i) / 64));
  }
  rope.joined = true;
  return rope;
}

// Every causal case whose head is wide enough, turned by the op and turned before.
TEST(RopeAttention, GivesTheSameBitsAsTurningFirst) {
  int32_t done = 0;
  for (const RigCase& c : RigCases()) {
    const AttentionParams& layer = c.setup.layer;
    if (c.setup.kind != RigKind::kCausal) continue;
    const int32_t rotary_dim =
        ++done % 3 == 0 ? (layer.head_dim + 3) / 4 * 2 : layer.head_dim / 2 * 2;
    for (const std::string& isa : RigIsas()) {
      RigSetup setup = c.setup;
      setup.isa = isa;
      const RopePairs pairs = done % 2 == 0 ? RopePairs::kHalves : RopePairs::kNeighbours;
      setup.rope = RopeFor(layer, rotary_dim, pairs);
      setup.rope->joined = false;
      const RigSession::Rows expected = RunCase(Paged(), setup, c.steps);
      setup.rope->joined = true;
      setup.lanes = 1 + done % 3;
      EXPECT_TRUE(RigSameBits(RunCase(Paged(), setup, c.steps), expected)) << c.name << " " << isa;
      EXPECT_TRUE(RigSameBits(RunCase(Flash(), setup, c.steps), expected)) << c.name << " " << isa;
    }
  }
  EXPECT_GT(done, 40);
}

TEST(RopeAttention, SaysWhyItRefusesARotation) {
  const struct {
    void (*spoil)(RigRope*);
    const char* expected;
  } cases[] = {
      {[](RigRope* r) { r->params.heads = 4; }, "rotates 4 heads of 64; those of q and k are 6"},
      {[](RigRope* r) { r->params.head_dim = 32; }, "of 32"},
      {[](RigRope* r) { r->params.rotary_dim = 66; }, "rotary_dim is 66"},
      {[](RigRope* r) { r->params.rotary_dim = 3; }, "rotary_dim is 3"},
      {[](RigRope* r) { r->params.pairs = static_cast<RopePairs>(7); }, "pairs has no known value"},
      {[](RigRope* r) { r->params.magnitude = NAN; }, "magnitude"},
      {[](RigRope* r) { r->inverse_frequency.pop_back(); }, "f32 [1, 32]"},
      {[](RigRope* r) { r->inverse_frequency[3] = 2000; }, "-1024 to 1024 allowed"}};
  for (const auto& c : cases) {
    RigSetup setup;
    setup.rope = RopeFor(setup.layer, 64, RopePairs::kHalves);
    c.spoil(&*setup.rope);
    const RigSession session(Paged(), setup);
    EXPECT_NE(session.failure().find(c.expected), std::string::npos) << session.failure();
  }
}

// A list of nodes, each with copies of what it was given.
class Editor final : public ProgramEditor {
 public:
  uint32_t AddValue(const ValueInfo& info) noexcept override {
    values_.push_back(info);
    return static_cast<uint32_t>(values_.size() - 1);
  }
  ValueInfo Value(uint32_t value) const noexcept override { return values_[value]; }
  int32_t Count() const noexcept override { return static_cast<int32_t>(nodes_.size()); }
  Node At(int32_t at) const noexcept override { return nodes_[static_cast<size_t>(at)].View(); }
  void Insert(int32_t before, const Node& node) noexcept override {
    nodes_.insert(nodes_.begin() + before, Kept(node));
  }
  void Replace(int32_t at, const Node& node) noexcept override {
    nodes_[static_cast<size_t>(at)] = Kept(node);
  }
  void Erase(int32_t at) noexcept override { nodes_.erase(nodes_.begin() + at); }

 private:
  struct Kept {
    explicit Kept(const Node& from)
        : node(from),
          inputs(from.inputs.begin(), from.inputs.end()),
          outputs(from.outputs.begin(), from.outputs.end()),
          weights(from.weights.begin(), from.weights.end()),
          params(from.params_bytes / 4) {
      if (!params.empty()) std::memcpy(params.data(), from.params, from.params_bytes);
    }
    Node View() const {
      Node view = node;
      view.inputs = {inputs.data(), inputs.size()};
      view.outputs = {outputs.data(), outputs.size()};
      view.weights = {weights.data(), weights.size()};
      view.params = params.data();
      return view;
    }
    Node node;
    std::vector<Operand> inputs, outputs;
    std::vector<Weight> weights;
    std::vector<uint32_t> params;
  };
  std::vector<ValueInfo> values_;
  std::deque<Kept> nodes_;
};

// Two layers: qkv, rope, attention, with 4 heads, 2 KV heads of 8 columns and sinks.
struct Model {
  Editor list;
  uint32_t qkv[2], out[2];
  float frequencies[4] = {1, 0.5f, 0.25f, 0.125f};

  Model() {
    for (int32_t layer = 0; layer < 2; ++layer) {
      qkv[layer] = list.AddValue({"qkv", DType::kF32, RowSet::kTokens, 64});
      out[layer] = list.AddValue({"out", DType::kF32, RowSet::kTokens, 32});
      const Operand all = {qkv[layer], 0, 64}, qk = {qkv[layer], 0, 48};
      Append("linear", Family::kQuant, {}, {all}, {});
      const RopeParams rope = {6, 8, 8, RopePairs::kHalves, 1};
      Append(kRope, Family::kDevice, {qk}, {qk}, {Frequencies()}, &rope, sizeof(rope));
      const AttentionParams attention = {layer, 4, 2, 8, 8, 1, 0, 0, 1};
      Append(kAttention, Family::kAttention,
             {{qkv[layer], 0, 32}, {qkv[layer], 32, 16}, {qkv[layer], 48, 16}},
             {{out[layer], 0, 32}}, {Weight{"sinks", {}, 0}}, &attention, sizeof(attention));
    }
  }

  Weight Frequencies() const { return {"inverse_frequency", {DType::kF32, frequencies, 1, 4}, 16}; }
  void Append(const char* kind, Family family, std::vector<Operand> inputs,
              std::vector<Operand> outputs, std::vector<Weight> weights,
              const void* params = nullptr, uint64_t bytes = 0, int32_t before = -1) {
    Node node;
    node.kind = kind;
    node.name = kind;
    node.family = family;
    node.inputs = {inputs.data(), inputs.size()};
    node.outputs = {outputs.data(), outputs.size()};
    node.weights = {weights.data(), weights.size()};
    node.params = params;
    node.params_bytes = bytes;
    list.Insert(before < 0 ? list.Count() : before, node);
  }
  int32_t Joined() {
    JoinRopes(list);
    int32_t count = 0;
    for (int32_t i = 0; i < list.Count(); ++i) count += list.At(i).kind == Str(kRopeAttention);
    return count;
  }
};

TEST(JoinRopes, ReplacesRopeAndAttentionByOneNode) {
  Model model;
  ASSERT_EQ(model.Joined(), 2);
  ASSERT_EQ(model.list.Count(), 4);
  const Node node = model.list.At(3);
  EXPECT_EQ(node.inputs.size, 3u);
  ASSERT_EQ(node.weights.size, 2u);
  EXPECT_EQ(node.weights[0].tensor.data, model.frequencies);
  EXPECT_EQ(node.weights[1].name, Str("sinks"));
  ASSERT_EQ(node.params_bytes, sizeof(RopeAttentionParams));
  const auto& params = *static_cast<const RopeAttentionParams*>(node.params);
  EXPECT_EQ(params.attention.layer, 1);
  EXPECT_EQ(params.rope.heads, 6);
  EXPECT_EQ(model.Joined(), 2) << "a second time there is nothing to do";
}

TEST(JoinRopes, LeavesARopeWhoseResultOthersReadOrWrite) {
  Model reader;  // behind the attention
  reader.Append("add", Family::kDevice, {{reader.qkv[0], 40, 8}}, {{reader.out[0], 0, 8}}, {});
  EXPECT_EQ(reader.Joined(), 1);
  Model between;  // a norm of k between rope and attention
  const Operand k = {between.qkv[1], 32, 16};
  between.Append(kRmsNorm, Family::kDevice, {k}, {k}, {}, nullptr, 0, 5);
  EXPECT_EQ(between.Joined(), 1);
  Model before;  // a norm of k before both is no hindrance
  const Operand own = {before.qkv[1], 32, 16};
  before.Append(kRmsNorm, Family::kDevice, {own}, {own}, {}, nullptr, 0, 4);
  EXPECT_EQ(before.Joined(), 2);
  Model values;  // nor is a reader of v
  values.Append("add", Family::kDevice, {{values.qkv[0], 48, 16}}, {{values.out[0], 0, 16}}, {});
  EXPECT_EQ(values.Joined(), 2);
}

TEST(JoinRopes, LeavesARopeOfOtherColumns) {
  Model model;
  Node rope = model.list.At(1);
  RopeParams params = *static_cast<const RopeParams*>(rope.params);
  params.heads = 4;
  const Operand q = {model.qkv[0], 0, 32};
  rope.inputs = rope.outputs = {&q, 1};
  rope.params = &params;
  model.list.Replace(1, rope);
  EXPECT_EQ(model.Joined(), 1);
}

}  // namespace
}  // namespace tenon::attention
