// SPDX-License-Identifier: Apache-2.0
// DeepSeek: latent attention and grouped routing, from both formats.
#include <cmath>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/recorder.h"
#include "models/testing/reference.h"
#include "models/testing/tiny_reference.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::CasesOf;
using testing::ConfigOf;
using testing::ExpectMatchesReference;
using testing::GgufTensor;
using testing::GgufTensors;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::Names;
using testing::Recorder;
using testing::Replaced;
using testing::Tiny;
using testing::WithConfig;
using testing::WriteGguf;

constexpr size_t kHeads = 4, kNope = 16, kValue = 16, kRank = 24;

std::string ErrorWith(const fs::path& folder, const std::string& from, const std::string& to) {
  return testing::ErrorOf(WithConfig(folder, Replaced(ConfigOf(folder), from, to)));
}

// ---- as GGUF files

const Names kNames = {{"input_layernorm", "attn_norm"},
                      {"self_attn.q_proj", "attn_q"},
                      {"self_attn.q_a_proj", "attn_q_a"},
                      {"self_attn.q_a_layernorm", "attn_q_a_norm"},
                      {"self_attn.q_b_proj", "attn_q_b"},
                      {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"},
                      {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
                      {"self_attn.kv_b_proj", "attn_kv_b"},
                      {"self_attn.o_proj", "attn_output"},
                      {"post_attention_layernorm", "ffn_norm"},
                      {"mlp.gate_proj", "ffn_gate"},
                      {"mlp.up_proj", "ffn_up"},
                      {"mlp.down_proj", "ffn_down"},
                      {"mlp.gate", "ffn_gate_inp"},
                      {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
                      {"mlp.experts.{}.gate_proj", "ffn_gate_exps"},
                      {"mlp.experts.{}.up_proj", "ffn_up_exps"},
                      {"mlp.experts.{}.down_proj", "ffn_down_exps"},
                      {"mlp.shared_experts.gate_proj", "ffn_gate_shexp"},
                      {"mlp.shared_experts.up_proj", "ffn_up_shexp"},
                      {"mlp.shared_experts.down_proj", "ffn_down_shexp"}};

GgufWriter Sizes(uint32_t experts, uint32_t used, uint32_t ffn, bool absorbed) {
  GgufWriter w = testing::SizesOfReference("deepseek2", 1e-6f);
  const std::string length = absorbed ? "_length_mla" : "_length";
  w.U32("deepseek2.attention.key" + length, 24);
  w.U32("deepseek2.attention.value" + length, 16);
  if (absorbed) {
    w.U32("deepseek2.attention.key_length", 32);
    w.U32("deepseek2.attention.value_length", 24);
  }
  w.U32("deepseek2.attention.kv_lora_rank", 24);
  w.U32("deepseek2.rope.dimension_count", 8);
  w.U32("deepseek2.leading_dense_block_count", 1);
  w.U32("deepseek2.expert_count", experts);
  w.U32("deepseek2.expert_used_count", used);
  w.U32("deepseek2.expert_feed_forward_length", ffn);
  w.U32("deepseek2.expert_shared_count", 1);
  return w;
}

void AddV3Routing(GgufWriter& w) {
  w.U32("deepseek2.attention.q_lora_rank", 32);
  w.U32("deepseek2.expert_group_count", 4);
  w.U32("deepseek2.expert_group_used_count", 2);
  w.U32("deepseek2.expert_gating_func", 2);
  w.Flag("deepseek2.expert_weights_norm", true);
  w.F32("deepseek2.expert_weights_scale", 2.5f);
}

// attn_kv_b as newer files have it: a head's W_uk transposed, and its W_uv.
void SplitKvB(std::map<std::string, GgufTensor>& tensors, const std::string& block) {
  const GgufTensor kv = tensors.extract(block + "attn_kv_b.weight").mapped();
  GgufTensor& k = tensors[block + "attn_k_b.weight"];
  GgufTensor& v = tensors[block + "attn_v_b.weight"];
  k.columns = kNope;
  v.columns = kRank;
  for (size_t h = 0; h < kHeads; ++h) {
    const float* head = kv.values.data() + h * (kNope + kValue) * kRank;
    for (size_t r = 0; r < kRank; ++r) {
      for (size_t i = 0; i < kNope; ++i) k.values.push_back(head[i * kRank + r]);
    }
    v.values.insert(v.values.end(), head + kNope * kRank, head + (kNope + kValue) * kRank);
  }
}

// ---- what they compute

TEST(DeepseekV2, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("deepseek_v2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(DeepseekV2, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("deepseek_v2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  GgufWriter w = Sizes(8, 2, 48, false);
  ExpectMatchesReference(WriteGguf(w, GgufTensors(folder, kNames)), CasesOf(folder));
}

TEST(DeepseekV3, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(DeepseekV3, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  GgufWriter w = Sizes(16, 4, 32, false);
  AddV3Routing(w);
  ExpectMatchesReference(WriteGguf(w, GgufTensors(folder, kNames)), CasesOf(folder));
}

TEST(DeepseekV3, ComputesTheReferenceFromGgufOfTheAbsorbedForm) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  auto tensors = GgufTensors(folder, kNames);
  for (const char* block : {"blk.0.", "blk.1.", "blk.2."}) SplitKvB(tensors, block);
  GgufWriter w = Sizes(16, 4, 32, true);
  AddV3Routing(w);
  ExpectMatchesReference(WriteGguf(w, tensors), CasesOf(folder));
}

// The last of the stored layers, which block_count counts, predicts further tokens.
TEST(DeepseekV3, IgnoresLayersBehindTheLast) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto error = [&](uint32_t predicting) {
    GgufWriter w = Sizes(16, 4, 32, false);
    AddV3Routing(w);
    w.U32("deepseek2.nextn_predict_layers", predicting);
    auto tensors = GgufTensors(folder, kNames);
    tensors["blk.2.nextn.eh_proj.weight"] = {std::vector<float>(64 * 128), 128};
    return testing::ErrorOf(WriteGguf(w, tensors));
  };
  EXPECT_EQ(error(1), "no error");
  EXPECT_THAT(error(0), HasSubstr("not expected: \"blk.2.nextn.eh_proj.weight\""));
  EXPECT_THAT(error(3), HasSubstr("nextn_predict_layers is 3; fewer than the 3 layers expected"));
}

TEST(DeepseekV3, IgnoresLayersBehindTheLastOfAConfig) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const std::string config = ConfigOf(folder);
  const std::string two = Replaced(config, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
  EXPECT_EQ(testing::ErrorOf(WithConfig(folder, two)), "no error");
  EXPECT_THAT(testing::ErrorOf(WithConfig(folder, Replaced(two, "\"num_nextn_predict_layers\": 1",
                                                           "\"num_nextn_predict_layers\": 0"))),
              HasSubstr("not expected: \"model.layers.2.input_layernorm.weight\""));
}

// ---- what they emit

TEST(DeepseekV3, EmitsLatentAttentionOverOneRowAToken) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* attention = program.Find("layers.2.attention");
  ASSERT_EQ(attention->kind, kLatentAttention);
  const auto params = attention->Params<LatentAttentionParams>();
  EXPECT_EQ(params.layer, 2);
  EXPECT_EQ(params.heads, 4);
  EXPECT_EQ(params.rank, 24);
  EXPECT_EQ(params.rope_dim, 8);
  EXPECT_FLOAT_EQ(params.scale, 1 / std::sqrt(24.0f));
  EXPECT_TRUE(attention->needs.Has(Capability::kLatentKv));
  ASSERT_EQ(attention->inputs.size(), 4u);
  EXPECT_EQ(attention->inputs[0].columns, 4 * 24);
  EXPECT_EQ(attention->inputs[1].columns, 4 * 8);
  EXPECT_EQ(attention->inputs[2].columns, 24);
  EXPECT_EQ(attention->inputs[3].columns, 8);
  const Recorder::Kept* keys = program.Find("layers.2.q_latent");
  EXPECT_EQ(keys->inputs.size(), 1u);
  EXPECT_EQ(keys->Params<GroupedLinearParams>().slots, 4);
  EXPECT_EQ(keys->Params<GroupedLinearParams>().experts, 4);
  EXPECT_EQ(keys->Params<GroupedLinearParams>().input_by_slot, 1u);
  ASSERT_EQ(keys->weights.size(), 4u);
  EXPECT_EQ(keys->weights[0].tensor.rows, 24);
  EXPECT_EQ(keys->weights[0].tensor.columns, 16);
  EXPECT_EQ(program.Find("layers.2.q_rope")->Params<RopeParams>().heads, 4);
  EXPECT_EQ(program.Find("layers.2.k_rope")->Params<RopeParams>().heads, 1);
  EXPECT_EQ(program.Find("layers.2.k_rope")->Params<RopeParams>().pairs, RopePairs::kNeighbours);
  EXPECT_EQ(program.Find("layers.2.q")->Params<LinearParams>().matrices, 8);
}

TEST(DeepseekV3, EmitsRoutingByGroupsBehindTheDenseLayers) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  EXPECT_EQ(program.Find("layers.0.route"), nullptr);
  ASSERT_NE(program.Find("layers.0.gate_up"), nullptr);
  const Recorder::Kept* route = program.Find("layers.1.route");
  const auto params = route->Params<RouteParams>();
  EXPECT_EQ(params.experts, 16);
  EXPECT_EQ(params.chosen, 4);
  EXPECT_EQ(params.groups, 4);
  EXPECT_EQ(params.kept_groups, 2);
  EXPECT_EQ(params.score, RouteScore::kSigmoid);
  EXPECT_EQ(params.group_score, GroupScore::kBestTwo);
  EXPECT_EQ(params.normalise, 1u);
  EXPECT_EQ(params.scale, 2.5f);
  EXPECT_EQ(route->weights.size(), 1u);
  EXPECT_EQ(program.Find("layers.1.shared_down")->Params<LinearParams>().has_residual, 1u);
}

TEST(DeepseekV3, ScalesScoresWithYarn) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(
      WithConfig(folder,
                 Replaced(ConfigOf(folder), "\"rope_type\": \"default\"",
                          R"("rope_type": "yarn", "factor": 40, "mscale": 1.0,)"
                          R"("mscale_all_dim": 1.0, "original_max_position_embeddings": 64)"))
          .string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const double magnitude = 0.1 * std::log(40.0) + 1;
  EXPECT_FLOAT_EQ(program.Find("layers.0.attention")->Params<LatentAttentionParams>().scale,
                  static_cast<float>(magnitude * magnitude / std::sqrt(24.0)));
  EXPECT_EQ(program.Find("layers.0.q_rope")->Params<RopeParams>().magnitude, 1);
}

TEST(DeepseekV2, RoutesByTheBestOfEachGroup) {
  const fs::path folder = Tiny("deepseek_v2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  std::string config = Replaced(ConfigOf(folder), "\"greedy\"", "\"group_limited_greedy\"");
  config = Replaced(config, "\"n_group\": 1", "\"n_group\": 4");
  config = Replaced(config, "\"topk_group\": 1", "\"topk_group\": 2");
  config = Replaced(config, "\"routed_scaling_factor\": 1.0", "\"routed_scaling_factor\": 16.0");
  const auto model = LoadModel(WithConfig(folder, config).string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const auto params = program.Find("layers.1.route")->Params<RouteParams>();
  EXPECT_EQ(params.groups, 4);
  EXPECT_EQ(params.kept_groups, 2);
  EXPECT_EQ(params.score, RouteScore::kSoftmax);
  EXPECT_EQ(params.group_score, GroupScore::kBest);
  EXPECT_EQ(params.normalise, 0u);
  EXPECT_EQ(params.scale, 16);
}

// ---- what they refuse

TEST(DeepseekV3, RefusesRoutingThatCannotBe) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  EXPECT_THAT(ErrorWith(folder, "\"n_group\": 4", "\"n_group\": 3"),
              HasSubstr("16 experts are in 3 groups; a divisor expected"));
  EXPECT_THAT(ErrorWith(folder, "\"topk_group\": 2", "\"topk_group\": 5"),
              HasSubstr("5 of 4 groups of experts are kept"));
  EXPECT_THAT(ErrorWith(folder, "\"num_experts_per_tok\": 4", "\"num_experts_per_tok\": 9"),
              HasSubstr("9 experts are chosen out of 2 groups of 4"));
  EXPECT_THAT(ErrorWith(folder, "\"n_group\": 4", "\"n_group\": 16"),
              HasSubstr("groups of 1 expert are chosen by their best two"));
  EXPECT_THAT(ErrorWith(folder, "\"routed_scaling_factor\": 2.5", "\"routed_scaling_factor\": 0"),
              HasSubstr("routed_scaling_factor is 0; a number"));
}

TEST(DeepseekV3, NamesMissingKeys) {
  const fs::path folder = Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  for (const char* key : {"kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
                          "n_routed_experts", "moe_intermediate_size", "num_experts_per_tok"}) {
    EXPECT_THAT(ErrorWith(folder, "\"" + std::string(key) + "\"", "\"other\""),
                HasSubstr(std::string(key) + " is missing"));
  }
}

TEST(Deepseek, RefusesWhatItCannotFollow) {
  const fs::path folder = Tiny("deepseek_v2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  EXPECT_THAT(ErrorWith(folder, "\"greedy\"", "\"noaux\""),
              HasSubstr("topk_method is \"noaux\"; greedy and group_limited_greedy are known"));
  EXPECT_THAT(ErrorWith(folder, "\"attention_bias\": false", "\"attention_bias\": true"),
              HasSubstr("attention_bias or mlp_bias is true"));
  EXPECT_THAT(ErrorWith(folder, "\"n_group\"", "\"scoring_func\": \"sigmoid\", \"n_group\""),
              HasSubstr("scoring_func is \"sigmoid\"; softmax expected"));
  EXPECT_THAT(ErrorWith(folder, "\"n_group\"", "\"moe_layer_freq\": 2, \"n_group\""),
              HasSubstr("moe_layer_freq is above 1"));
  EXPECT_THAT(ErrorWith(folder, "\"qk_rope_head_dim\": 8", "\"qk_rope_head_dim\": 7"),
              HasSubstr("RoPE turns 7 columns of a head; an even number expected"));
  EXPECT_THAT(ErrorWith(folder, "\"kv_lora_rank\": 24", "\"kv_lora_rank\": 25"),
              HasSubstr("4 heads of 16 + 8, latent rows of 25, 160 feed-forward columns, 8 experts "
                        "of 48"));
}

TEST(Deepseek, NamesMissingKeysOfGguf) {
  GgufWriter w = testing::SizesOfReference("deepseek2", 1e-6f);
  const std::string error = testing::ErrorOf(WriteGguf(w, {}));
  for (const char* key : {"attention.kv_lora_rank", "rope.dimension_count", "attention.key_length",
                          "attention.value_length", "expert_count"}) {
    EXPECT_THAT(error, HasSubstr("deepseek2." + std::string(key) + " is missing"));
  }
}

}  // namespace
}  // namespace tenon::models
