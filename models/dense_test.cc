// SPDX-License-Identifier: Apache-2.0
// Dense architectures beside Llama and Gemma 3: what they compute, from both formats.
#include <cmath>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/recorder.h"
#include "models/testing/reference.h"
#include "models/testing/tiny_llama.h"
#include "models/testing/tiny_reference.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::AddMatrix;
using testing::CasesOf;
using ::testing::ElementsAre;
using testing::EmptyFolder;
using testing::ExpectMatchesReference;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::kLlamaNames;
using testing::Names;
using testing::Recorder;
using testing::SizesOfReference;
using testing::Tiny;
using testing::WriteFile;

// ---- as GGUF files

// The tensors of the reference model, with `norm_offset` added to the norms, and the file's path.
fs::path WriteReference(GgufWriter& w, const fs::path& folder, const Names& names,
                        float norm_offset = 0) {
  auto tensors = testing::GgufTensors(folder, names);
  for (auto& [name, tensor] : tensors) {
    if (!name.ends_with("norm.weight")) continue;
    for (float& value : tensor.values) value += norm_offset;
  }
  return testing::WriteGguf(w, tensors);
}

// ---- what they compute

TEST(Qwen2, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("qwen2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Qwen2, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("qwen2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  GgufWriter w = SizesOfReference("qwen2", 1e-6f);
  ExpectMatchesReference(WriteReference(w, folder, kLlamaNames), CasesOf(folder));
}

TEST(Qwen3, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("qwen3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Qwen3, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("qwen3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = kLlamaNames;
  names["self_attn.q_norm"] = "attn_q_norm";
  names["self_attn.k_norm"] = "attn_k_norm";
  GgufWriter w = SizesOfReference("qwen3", 1e-6f);
  w.U32("qwen3.attention.key_length", 24);
  w.U32("qwen3.attention.value_length", 24);
  ExpectMatchesReference(WriteReference(w, folder, names), CasesOf(folder));
}

TEST(Phi3, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("phi3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Phi3, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("phi3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = kLlamaNames;
  names["self_attn.qkv_proj"] = "attn_qkv";
  names["mlp.gate_up_proj"] = "ffn_up";
  GgufWriter w = SizesOfReference("phi3", 1e-5f);
  w.U32("phi3.rope.dimension_count", 16);
  w.U32("phi3.attention.sliding_window", 0);
  ExpectMatchesReference(WriteReference(w, folder, names), CasesOf(folder));
}

TEST(Gemma2, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("gemma2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Gemma2, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("gemma2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = kLlamaNames;
  names["post_attention_layernorm"] = "post_attention_norm";
  names["pre_feedforward_layernorm"] = "ffn_norm";
  names["post_feedforward_layernorm"] = "post_ffw_norm";
  GgufWriter w = SizesOfReference("gemma2", 1e-6f);
  w.U32("gemma2.attention.sliding_window", 8);
  w.F32("gemma2.attn_logit_softcapping", 50);
  w.F32("gemma2.final_logit_softcapping", 30);
  ExpectMatchesReference(WriteReference(w, folder, names, 1), CasesOf(folder));
}

// ---- what they emit, from files made here

// Two heads over 8 columns, one KV head, 16 feed-forward columns.
GgufWriter SmallSizes(const std::string& name, uint32_t layers, uint32_t head_dim = 4) {
  GgufWriter w;
  w.Text("general.architecture", name);
  w.U32(name + ".block_count", layers);
  w.U32(name + ".context_length", 512);
  w.U32(name + ".embedding_length", 8);
  w.U32(name + ".feed_forward_length", 16);
  w.U32(name + ".attention.head_count", 2);
  w.U32(name + ".attention.head_count_kv", 1);
  w.U32(name + ".attention.key_length", head_dim);
  w.U32(name + ".attention.value_length", head_dim);
  w.F32(name + ".attention.layer_norm_rms_epsilon", 1e-5f);
  AddMatrix(w, "token_embd.weight", 12, 8);
  AddMatrix(w, "output_norm.weight", 1, 8);
  return w;
}

Result<std::unique_ptr<StoredModel>> Load(const GgufWriter& w, const char* name) {
  return LoadModel(WriteFile(EmptyFolder(name) / "m.gguf", w.Bytes()));
}

TEST(Qwen2, TakesBiasesOfQKAndVOnly) {
  GgufWriter w = SmallSizes("qwen2", 1);
  testing::AddTinyLlamaLayer(w, 0);
  const auto without = Load(w, "qwen2_without");
  ASSERT_FALSE(without.ok());
  EXPECT_THAT(without.error().message,
              HasSubstr("missing: \"blk.0.attn_q.bias\" [8], \"blk.0.attn_k.bias\" [4], "
                        "\"blk.0.attn_v.bias\" [4]"));
  AddMatrix(w, "blk.0.attn_q.bias", 1, 8);
  AddMatrix(w, "blk.0.attn_k.bias", 1, 4);
  AddMatrix(w, "blk.0.attn_v.bias", 1, 4);
  const auto model = Load(w, "qwen2_with");
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  EXPECT_TRUE(program.Find("layers.0.qkv")->needs.Has(Capability::kLinearBias));
  EXPECT_EQ(program.Find("layers.0.qkv")->weights.size(), 6u);
  EXPECT_EQ(program.Find("layers.0.attention_output")->Params<LinearParams>().has_bias, 0u);
  EXPECT_EQ(program.Find("layers.0.rope")->Params<RopeParams>().pairs, RopePairs::kHalves);
}

TEST(Qwen2, RefusesExperts) {
  GgufWriter w = SmallSizes("qwen2", 1);
  w.U32("qwen2.expert_count", 8);
  const auto refused = Load(w, "qwen2_experts");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message,
              HasSubstr("expert_count is above 0; models of qwen2 with experts cannot be read"));
}

GgufWriter SmallPhi3() {
  GgufWriter w = SmallSizes("phi3", 1);
  w.U32("phi3.rope.dimension_count", 2);
  w.U32("phi3.attention.sliding_window", 7);
  AddMatrix(w, "blk.0.attn_norm.weight", 1, 8);
  AddMatrix(w, "blk.0.attn_qkv.weight", 16, 8);
  AddMatrix(w, "blk.0.attn_output.weight", 8, 8);
  AddMatrix(w, "blk.0.ffn_norm.weight", 1, 8);
  AddMatrix(w, "blk.0.ffn_up.weight", 32, 8);
  AddMatrix(w, "blk.0.ffn_down.weight", 8, 16);
  return w;
}

TEST(Phi3, SplitsFusedMatricesByRows) {
  const auto model = Load(SmallPhi3(), "phi3");
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* qkv = program.Find("layers.0.qkv");
  const char* name = "blk.0.attn_qkv.weight";
  EXPECT_THAT(qkv->weight_names, ElementsAre(name, name, name));
  EXPECT_EQ(qkv->Params<LinearParams>().matrices, 3);
  EXPECT_EQ(qkv->outputs.at(0).columns, 16);
  const auto* first = static_cast<const float*>(qkv->weights[0].tensor.data);
  EXPECT_EQ(qkv->weights[0].tensor.rows, 8);
  EXPECT_EQ(qkv->weights[1].tensor.rows, 4);
  EXPECT_EQ(qkv->weights[2].tensor.rows, 4);
  EXPECT_EQ(qkv->weights[1].tensor.data, first + 8 * 8);
  EXPECT_EQ(qkv->weights[2].tensor.data, first + 12 * 8);
  const Recorder::Kept* gate_up = program.Find("layers.0.gate_up");
  EXPECT_THAT(gate_up->weight_names, ElementsAre("blk.0.ffn_up.weight", "blk.0.ffn_up.weight"));
  EXPECT_EQ(gate_up->weights[1].tensor.rows, 16);
  const Recorder::Kept* glu = program.Find("layers.0.glu");
  EXPECT_EQ(glu->inputs.at(0).first_column, 0);
  EXPECT_EQ(glu->inputs.at(1).first_column, 16);
  EXPECT_EQ(program.Find("layers.0.rope")->Params<RopeParams>().rotary_dim, 2);
  EXPECT_EQ(program.Find("layers.0.rope")->Params<RopeParams>().head_dim, 4);
  EXPECT_EQ(program.Find("layers.0.attention")->Params<AttentionParams>().window, 7);
}

TEST(Phi3, RefusesLongRopeAndMisshapenMatrices) {
  GgufWriter longer = SmallPhi3();
  AddMatrix(longer, "rope_factors_long.weight", 1, 1);
  const auto refused = Load(longer, "phi3_long");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("rope_factors_long.weight asks for LongRoPE"));
  GgufWriter apart = SmallSizes("phi3", 1);
  testing::AddTinyLlamaLayer(apart, 0);
  const auto misshapen = Load(apart, "phi3_apart");
  ASSERT_FALSE(misshapen.ok());
  EXPECT_THAT(misshapen.error().message, HasSubstr("missing: \"blk.0.attn_qkv.weight\" [16, 8]"));
  EXPECT_THAT(misshapen.error().message,
              HasSubstr("\"blk.0.ffn_up.weight\" is [16, 8], [32, 8] expected"));
}

GgufWriter SmallGemma2(int layers) {
  GgufWriter w = SmallSizes("gemma2", static_cast<uint32_t>(layers), 16);
  for (int layer = 0; layer < layers; ++layer) {
    const std::string b = "blk." + std::to_string(layer) + ".";
    for (const char* norm : {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"}) {
      AddMatrix(w, b + norm + ".weight", 1, 8);
    }
    AddMatrix(w, b + "attn_q.weight", 32, 8);
    AddMatrix(w, b + "attn_k.weight", 16, 8);
    AddMatrix(w, b + "attn_v.weight", 16, 8);
    AddMatrix(w, b + "attn_output.weight", 8, 32);
    AddMatrix(w, b + "ffn_gate.weight", 16, 8);
    AddMatrix(w, b + "ffn_up.weight", 16, 8);
    AddMatrix(w, b + "ffn_down.weight", 8, 16);
  }
  return w;
}

TEST(Gemma2, CapsAndAlternatesAsItsAuthorsDoWhereTheFileIsSilent) {
  const auto model = Load(SmallGemma2(2), "gemma2");
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* first = program.Find("layers.0.attention");
  EXPECT_EQ(first->Params<AttentionParams>().window, 4096);
  EXPECT_EQ(first->Params<AttentionParams>().soft_cap, 50);
  EXPECT_EQ(first->Params<AttentionParams>().scale, 0.25f);
  EXPECT_TRUE(first->needs.Has(Capability::kSoftCap));
  EXPECT_TRUE(first->needs.Has(Capability::kSlidingWindow));
  const Recorder::Kept* second = program.Find("layers.1.attention");
  EXPECT_EQ(second->Params<AttentionParams>().window, 0);
  EXPECT_FALSE(second->needs.Has(Capability::kSlidingWindow));
  ASSERT_NE(program.Find("logits_cap"), nullptr);
  EXPECT_EQ(program.Find("logits_cap")->Params<SoftCapParams>().cap, 30);
  EXPECT_FLOAT_EQ(program.Find("embed")->Params<EmbedParams>().scale, std::sqrt(8.0f));
  EXPECT_EQ(program.CountOf(kAdd), 4);
}

TEST(Gemma2, ScalesTheLargestByItsColumnsPerHead) {
  const auto model = Load(SmallGemma2(46), "gemma2_27b");
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  EXPECT_EQ(program.Find("layers.45.attention")->Params<AttentionParams>().scale, 0.5f);
}

// The reference model with one text in its config replaced.
fs::path WithConfig(const fs::path& folder, const std::string& from, const std::string& to) {
  return testing::WithConfig(folder, testing::Replaced(testing::ConfigOf(folder), from, to));
}

TEST(Gemma2, HasNoCapWhereTheConfigSaysNull) {
  const fs::path folder = Tiny("gemma2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(
      WithConfig(folder, R"("final_logit_softcapping": 30.0)", R"("final_logit_softcapping": null)")
          .string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  EXPECT_EQ(program.CountOf(kSoftCap), 0);
  EXPECT_EQ(program.Find("layers.0.attention")->Params<AttentionParams>().soft_cap, 50);
}

TEST(Gemma2, ReadsOlderConfigs) {
  const fs::path folder = Tiny("gemma2");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const fs::path older = WithConfig(folder, "\"layer_types\"", "\"unknown_types\"");
  ExpectMatchesReference(older, CasesOf(folder));
}

TEST(Phi3, TurnsAPartOfEachHeadAndRefusesLongRope) {
  const fs::path folder = Tiny("phi3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto part = LoadModel(
      WithConfig(folder, R"("partial_rotary_factor": 1.0)", R"("partial_rotary_factor": 0.75)")
          .string());
  ASSERT_TRUE(part.ok()) << part.error().message;
  Recorder program;
  ASSERT_TRUE((*part)->Emit(program).ok());
  EXPECT_EQ(program.Find("layers.2.rope")->Params<RopeParams>().rotary_dim, 12);
  EXPECT_EQ(program.Find("layers.2.rope")->Params<RopeParams>().head_dim, 16);
  const auto refused = LoadModel(
      WithConfig(folder, R"("rope_type": "default")", R"("rope_type": "longrope")").string());
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("the type of rope_parameters is \"longrope\""));
}

}  // namespace
}  // namespace tenon::models
