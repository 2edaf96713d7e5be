// SPDX-License-Identifier: Apache-2.0
// Models with experts: what they compute, from both formats, and which configs they refuse.
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
using testing::SizesOfReference;
using testing::Tiny;
using testing::WithConfig;
using testing::WriteGguf;

std::string ErrorWith(const fs::path& folder, const std::string& from, const std::string& to) {
  return testing::ErrorOf(WithConfig(folder, Replaced(ConfigOf(folder), from, to)));
}

GgufWriter ExpertSizes(const std::string& name, float epsilon, uint32_t count, uint32_t used,
                       uint32_t ffn) {
  GgufWriter w = SizesOfReference(name, epsilon);
  w.U32(name + ".expert_count", count);
  w.U32(name + ".expert_used_count", used);
  w.U32(name + ".expert_feed_forward_length", ffn);
  return w;
}

// ---- Mixtral

TEST(Mixtral, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("mixtral");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Mixtral, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("mixtral");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = testing::kLlamaNames;
  names["block_sparse_moe.gate"] = "ffn_gate_inp";
  names["block_sparse_moe.experts.{}.w1"] = "ffn_gate_exps";
  names["block_sparse_moe.experts.{}.w2"] = "ffn_down_exps";
  names["block_sparse_moe.experts.{}.w3"] = "ffn_up_exps";
  auto tensors = GgufTensors(folder, names);
  for (auto& [name, tensor] : tensors) {
    if (!name.ends_with("attn_q.weight") && !name.ends_with("attn_k.weight")) continue;
    tensor.values = testing::PairsAsNeighbours(tensor.values, 16, 64);
  }
  GgufWriter w = SizesOfReference("llama", 1e-5f);
  w.U32("llama.expert_count", 8);
  w.U32("llama.expert_used_count", 2);
  w.F32("llama.rope.freq_base", 1e6f);
  ExpectMatchesReference(WriteGguf(w, tensors), CasesOf(folder));
}

TEST(Mixtral, EmitsExpertsThatATokenIsRoutedTo) {
  const fs::path folder = Tiny("mixtral");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const RouteParams route = program.Find("layers.1.route")->Params<RouteParams>();
  EXPECT_EQ(route.experts, 8);
  EXPECT_EQ(route.chosen, 2);
  EXPECT_EQ(route.normalise, 1u);
  const Recorder::Kept* up = program.Find("layers.1.experts_gate_up");
  EXPECT_EQ(up->Params<GroupedLinearParams>().matrices, 2);
  EXPECT_EQ(up->Params<GroupedLinearParams>().slots, 2);
  EXPECT_EQ(up->Params<GroupedLinearParams>().input_by_slot, 0u);
  EXPECT_EQ(up->outputs.at(0).columns, 2 * 2 * 160);
  ASSERT_EQ(up->weights.size(), 16u);
  EXPECT_EQ(up->weight_names[9], "model.layers.1.block_sparse_moe.experts.1.w3.weight");
  EXPECT_TRUE(up->needs.Has(Capability::kGroupedLinear));
  EXPECT_TRUE(up->needs.Has(WeightCapability(DType::kF32)));
  const Recorder::Kept* down = program.Find("layers.1.experts_down");
  EXPECT_EQ(down->Params<GroupedLinearParams>().input_by_slot, 1u);
  EXPECT_EQ(down->outputs.at(0).columns, 2 * 64);
  const Recorder::Kept* combine = program.Find("layers.1.experts_combine");
  EXPECT_EQ(combine->Params<CombineParams>().has_base, 1u);
  EXPECT_EQ(combine->inputs.at(2).value, combine->outputs.at(0).value);
}

TEST(Mixtral, RefusesExpertsThatCannotBe) {
  const fs::path folder = Tiny("mixtral");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  EXPECT_THAT(ErrorWith(folder, "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 9"),
              HasSubstr("9 experts are chosen of 8; at most all of them expected"));
  EXPECT_THAT(ErrorWith(folder, "\"num_local_experts\"", "\"other\""),
              HasSubstr("num_local_experts is missing"));
  EXPECT_THAT(ErrorWith(folder, "\"num_experts_per_tok\"", "\"other\""),
              HasSubstr("num_experts_per_tok is missing"));
  const std::string wide = Replaced(
      Replaced(ConfigOf(folder), "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 8"),
      "\"intermediate_size\": 160", "\"intermediate_size\": 16777216");
  EXPECT_THAT(testing::ErrorOf(WithConfig(folder, wide)),
              HasSubstr("8 chosen experts of 33554432 columns are 268435456 columns; at most"));
  EXPECT_THAT(ErrorWith(folder, "\"num_local_experts\": 8", "\"num_local_experts\": 9"),
              HasSubstr("block_sparse_moe.experts.8.w1.weight\" [160, 64]"));
  EXPECT_THAT(ErrorWith(folder, "\"num_local_experts\": 8", "\"num_local_experts\": 7"),
              HasSubstr("not expected: \"model.layers.0.block_sparse_moe.experts.7.w1.weight\""));
}

// ---- Qwen

Names QwenNames() {
  Names names = testing::kLlamaNames;
  names["mlp.gate"] = "ffn_gate_inp";
  names["mlp.experts.{}.gate_proj"] = "ffn_gate_exps";
  names["mlp.experts.{}.up_proj"] = "ffn_up_exps";
  names["mlp.experts.{}.down_proj"] = "ffn_down_exps";
  return names;
}

TEST(Qwen2Moe, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("qwen2_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Qwen2Moe, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("qwen2_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = QwenNames();
  names["mlp.shared_expert.gate_proj"] = "ffn_gate_shexp";
  names["mlp.shared_expert.up_proj"] = "ffn_up_shexp";
  names["mlp.shared_expert.down_proj"] = "ffn_down_shexp";
  names["mlp.shared_expert_gate"] = "ffn_gate_inp_shexp";
  GgufWriter w = ExpertSizes("qwen2moe", 1e-6f, 8, 2, 48);
  w.U32("qwen2moe.expert_shared_feed_forward_length", 64);
  ExpectMatchesReference(WriteGguf(w, GgufTensors(folder, names)), CasesOf(folder));
}

TEST(Qwen2Moe, WeighsTheSharedExpertBySigmoid) {
  const fs::path folder = Tiny("qwen2_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  EXPECT_EQ(program.Find("layers.0.route")->Params<RouteParams>().normalise, 0u);
  const CombineParams combine = program.Find("layers.0.shared_combine")->Params<CombineParams>();
  EXPECT_EQ(combine.slots, 1);
  EXPECT_EQ(combine.sigmoid, 1u);
  EXPECT_EQ(program.Find("layers.0.shared_router")->outputs.at(0).columns, 1);
}

TEST(Qwen2Moe, HasDenseLayersWhereTheConfigSaysSo) {
  const fs::path folder = Tiny("qwen2_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const std::string config = ConfigOf(folder);
  const auto error = [&](const std::string& text) {
    return testing::ErrorOf(WithConfig(folder, text));
  };
  // The dense layers' tensors are then missing.
  const std::string every_second =
      error(Replaced(config, "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 2"));
  EXPECT_THAT(every_second, HasSubstr("\"model.layers.0.mlp.gate_proj.weight\" [160, 64]"));
  EXPECT_THAT(every_second, HasSubstr("\"model.layers.2.mlp.gate_proj.weight\" [160, 64]"));
  EXPECT_THAT(every_second, ::testing::Not(HasSubstr("\"model.layers.1.mlp.gate_proj.weight\"")));
  const std::string last =
      error(Replaced(config, "\"mlp_only_layers\": []", "\"mlp_only_layers\": [2]"));
  EXPECT_THAT(last, HasSubstr("missing: \"model.layers.2.mlp.gate_proj.weight\" [160, 64]"));
  EXPECT_THAT(last, ::testing::Not(HasSubstr("\"model.layers.1.mlp.gate_proj.weight\"")));
  EXPECT_THAT(
      error(Replaced(Replaced(config, "\"mlp_only_layers\": []", "\"mlp_only_layers\": [2]"),
                     "\"intermediate_size\"", "\"other\"")),
      HasSubstr("the feed-forward columns of layers without experts are missing"));
  EXPECT_THAT(error(Replaced(config, "\"mlp_only_layers\": []", "\"mlp_only_layers\": [\"x\"]")),
              HasSubstr("mlp_only_layers.0 is \"x\"; an integer"));
}

TEST(Qwen2Moe, NamesMissingKeys) {
  const fs::path folder = Tiny("qwen2_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  for (const char* key : {"num_experts_per_tok", "moe_intermediate_size",
                          "shared_expert_intermediate_size", "hidden_size"}) {
    EXPECT_THAT(ErrorWith(folder, "\"" + std::string(key) + "\"", "\"other\""),
                HasSubstr(std::string(key) + " is missing"));
  }
}

TEST(Qwen3Moe, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("qwen3_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

TEST(Qwen3Moe, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("qwen3_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = QwenNames();
  names["self_attn.q_norm"] = "attn_q_norm";
  names["self_attn.k_norm"] = "attn_k_norm";
  GgufWriter w = ExpertSizes("qwen3moe", 1e-6f, 8, 3, 40);
  w.U32("qwen3moe.attention.key_length", 16);
  w.U32("qwen3moe.attention.value_length", 16);
  ExpectMatchesReference(WriteGguf(w, GgufTensors(folder, names)), CasesOf(folder));
}

// Newer files hold gate and up of an expert in one matrix.
TEST(Qwen3Moe, ComputesTheReferenceFromGgufWithGateAndUpInOne) {
  const fs::path folder = Tiny("qwen3_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  Names names = QwenNames();
  names["self_attn.q_norm"] = "attn_q_norm";
  names["self_attn.k_norm"] = "attn_k_norm";
  auto tensors = GgufTensors(folder, names);
  for (int layer = 0; layer < 3; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    const auto gate = tensors.extract(block + "ffn_gate_exps.weight").mapped();
    const auto up = tensors.extract(block + "ffn_up_exps.weight").mapped();
    GgufTensor& both = tensors[block + "ffn_gate_up_exps.weight"];
    both.columns = 64;
    for (size_t at = 0; at < gate.values.size(); at += 40 * 64) {
      for (const GgufTensor* half : {&gate, &up}) {
        const auto begin = half->values.begin() + static_cast<std::ptrdiff_t>(at);
        both.values.insert(both.values.end(), begin, begin + 40 * 64);
      }
    }
  }
  GgufWriter w = ExpertSizes("qwen3moe", 1e-6f, 8, 3, 40);
  w.U32("qwen3moe.attention.key_length", 16);
  w.U32("qwen3moe.attention.value_length", 16);
  ExpectMatchesReference(WriteGguf(w, tensors), CasesOf(folder));
}

TEST(Qwen3Moe, NamesMissingKeysOfGguf) {
  const fs::path folder = Tiny("qwen3_moe");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  GgufWriter w = SizesOfReference("qwen3moe", 1e-6f);
  const std::string error = testing::ErrorOf(WriteGguf(w, {}));
  EXPECT_THAT(error, HasSubstr("qwen3moe.expert_count is missing"));
  EXPECT_THAT(error, HasSubstr("qwen3moe.expert_used_count is missing"));
}

}  // namespace
}  // namespace tenon::models
