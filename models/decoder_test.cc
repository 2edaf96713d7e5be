// SPDX-License-Identifier: Apache-2.0
// What a decoder emits: names, shapes, params.
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/load.h"
#include "models/testing/recorder.h"
#include "models/testing/tiny_llama.h"

namespace tenon::models {
namespace {

using testing::AddMatrix;
using ::testing::ElementsAre;
using testing::EmptyFolder;
using ::testing::FloatEq;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::Recorder;
using testing::TinyLlama;
using testing::TinyLlamaMetadata;
using testing::WriteFile;

std::unique_ptr<StoredModel> Load(const GgufWriter& writer) {
  auto model = LoadModel(WriteFile(EmptyFolder("decoder") / "m.gguf", writer.Bytes()));
  EXPECT_TRUE(model.ok()) << model.error().message;
  return std::move(*model);
}

std::string ErrorOf(const GgufWriter& writer) {
  const auto model = LoadModel(WriteFile(EmptyFolder("decoder") / "m.gguf", writer.Bytes()));
  return model.ok() ? "no error" : model.error().message;
}

TEST(Decoder, TellsItsSizes) {
  const auto model = Load(TinyLlama());
  const ModelInfo& info = model->Info();
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.name, "Tiny");
  EXPECT_EQ(info.vocabulary, 12);
  EXPECT_EQ(info.hidden, 8);
  EXPECT_EQ(info.layers, 2);
  EXPECT_EQ(info.max_context, 64);
  EXPECT_EQ(info.parameters, 12u * 8 + 8 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 3 * 128));
  EXPECT_EQ(info.stored_bytes, info.parameters * 4);
}

TEST(Decoder, EmitsTheWholeComputationInOrder) {
  const auto model = Load(TinyLlama());
  Recorder program;
  const auto outputs = model->Emit(program);
  ASSERT_TRUE(outputs.ok());
  std::vector<std::string> names;
  for (const Recorder::Kept& node : program.nodes) names.push_back(node.name);
  EXPECT_THAT(std::vector<std::string>(names.begin(), names.begin() + 10),
              ElementsAre("embed", "layers.0.attention_norm", "layers.0.qkv", "layers.0.rope",
                          "layers.0.attention", "layers.0.attention_output", "layers.0.ffn_norm",
                          "layers.0.gate_up", "layers.0.glu", "layers.0.ffn_down"));
  EXPECT_THAT(std::vector<std::string>(names.end() - 3, names.end()),
              ElementsAre("gather_rows", "final_norm", "head"));
  EXPECT_EQ(names.size(), 1u + 2 * 9 + 3);
  EXPECT_EQ(program.values.at(outputs->rows).columns, 12);
  EXPECT_EQ(program.values.at(outputs->rows).rows, RowSet::kLogitRows);
}

TEST(Decoder, JoinsQkvAndRotatesQAndKTogether) {
  const auto model = Load(TinyLlama());
  Recorder program;
  ASSERT_TRUE(model->Emit(program).ok());
  const Recorder::Kept* qkv = program.Find("layers.1.qkv");
  ASSERT_NE(qkv, nullptr);
  EXPECT_EQ(qkv->kind, kLinear);
  EXPECT_EQ(qkv->family, Family::kQuant);
  EXPECT_THAT(qkv->weight_names,
              ElementsAre("blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight"));
  EXPECT_EQ(qkv->Params<LinearParams>().matrices, 3);
  EXPECT_EQ(qkv->Params<LinearParams>().has_residual, 0u);
  EXPECT_EQ(qkv->outputs.at(0).columns, 16);
  EXPECT_TRUE(qkv->needs.Has(WeightCapability(DType::kF32)));
  EXPECT_FALSE(qkv->needs.Has(Capability::kLinearBias));
  EXPECT_EQ(qkv->weights.at(0).row_bytes, 32);

  const Recorder::Kept* rope = program.Find("layers.1.rope");
  ASSERT_NE(rope, nullptr);
  EXPECT_EQ(rope->inputs.at(0).value, qkv->outputs.at(0).value);
  EXPECT_EQ(rope->inputs.at(0).columns, 12);
  EXPECT_EQ(rope->outputs.at(0).columns, 12);
  const RopeParams params = rope->Params<RopeParams>();
  EXPECT_EQ(params.heads, 3);
  EXPECT_EQ(params.head_dim, 4);
  EXPECT_EQ(params.rotary_dim, 4);
  EXPECT_EQ(params.pairs, RopePairs::kNeighbours);
  EXPECT_EQ(params.magnitude, 1);
  const auto* table = static_cast<const float*>(rope->weights.at(0).tensor.data);
  EXPECT_EQ(rope->weights.at(0).tensor.columns, 2);
  EXPECT_THAT(std::vector<float>(table, table + 2), ElementsAre(FloatEq(1), FloatEq(0.01f)));
}

TEST(Decoder, EmitsAttentionOverSlices) {
  const auto model = Load(TinyLlama());
  Recorder program;
  ASSERT_TRUE(model->Emit(program).ok());
  const Recorder::Kept* attention = program.Find("layers.1.attention");
  ASSERT_NE(attention, nullptr);
  EXPECT_EQ(attention->family, Family::kAttention);
  const AttentionParams params = attention->Params<AttentionParams>();
  EXPECT_EQ(params.layer, 1);
  EXPECT_EQ(params.heads, 2);
  EXPECT_EQ(params.kv_heads, 1);
  EXPECT_EQ(params.head_dim, 4);
  EXPECT_EQ(params.value_dim, 4);
  EXPECT_EQ(params.scale, 0.5f);
  EXPECT_EQ(params.window, 0);
  EXPECT_EQ(params.soft_cap, 0);
  EXPECT_TRUE(attention->needs.empty());
  ASSERT_EQ(attention->inputs.size(), 3u);
  EXPECT_EQ(attention->inputs[0].first_column, 0);
  EXPECT_EQ(attention->inputs[1].first_column, 8);
  EXPECT_EQ(attention->inputs[2].first_column, 12);
  EXPECT_EQ(attention->inputs[2].columns, 4);
}

TEST(Decoder, AddsTheResidualInPlace) {
  const auto model = Load(TinyLlama());
  Recorder program;
  ASSERT_TRUE(model->Emit(program).ok());
  const uint32_t hidden = program.Find("embed")->outputs.at(0).value;
  for (const char* name : {"layers.0.attention_output", "layers.1.ffn_down"}) {
    const Recorder::Kept* node = program.Find(name);
    ASSERT_NE(node, nullptr) << name;
    EXPECT_EQ(node->Params<LinearParams>().has_residual, 1u);
    EXPECT_EQ(node->inputs.at(1).value, hidden);
    EXPECT_EQ(node->outputs.at(0).value, hidden);
  }
  EXPECT_EQ(program.CountOf(kAdd), 0);
}

TEST(Decoder, UsesTheEmbeddingAsHeadWhereThereIsNone) {
  Recorder tied, own;
  const auto tied_model = Load(TinyLlama());
  ASSERT_TRUE(tied_model->Emit(tied).ok());
  EXPECT_THAT(tied.Find("head")->weight_names, ElementsAre("token_embd.weight"));
  GgufWriter writer = TinyLlama();
  AddMatrix(writer, "output.weight", 12, 8);
  const auto own_model = Load(writer);
  ASSERT_TRUE(own_model->Emit(own).ok());
  EXPECT_THAT(own.Find("head")->weight_names, ElementsAre("output.weight"));
}

TEST(Decoder, CarriesWindowAndScaledFrequencies) {
  GgufWriter writer = TinyLlamaMetadata();
  writer.U32("llama.attention.sliding_window", 5);
  writer.F32("llama.rope.freq_base", 10000);
  writer.Text("llama.rope.scaling.type", "linear");
  writer.F32("llama.rope.scaling.factor", 2);
  testing::AddTinyLlamaTensors(writer);
  std::string factors;
  GgufWriter::Put(factors, 1.0f);
  GgufWriter::Put(factors, 4.0f);
  writer.Tensor("rope_freqs.weight", {2}, 0, factors);
  const auto model = Load(writer);
  Recorder program;
  ASSERT_TRUE(model->Emit(program).ok());
  const Recorder::Kept* attention = program.Find("layers.0.attention");
  EXPECT_EQ(attention->Params<AttentionParams>().window, 5);
  EXPECT_TRUE(attention->needs.Has(Capability::kSlidingWindow));
  const auto* table =
      static_cast<const float*>(program.Find("layers.0.rope")->weights.at(0).tensor.data);
  EXPECT_THAT(std::vector<float>(table, table + 2), ElementsAre(FloatEq(0.5f), FloatEq(0.01f / 8)));
}

TEST(Decoder, StretchesFrequenciesWithYarn) {
  GgufWriter writer = TinyLlamaMetadata();
  writer.Text("llama.rope.scaling.type", "yarn");
  writer.F32("llama.rope.scaling.factor", 4);
  writer.U32("llama.rope.scaling.original_context_length", 16);
  writer.F32("llama.rope.scaling.attn_factor", 2);
  testing::AddTinyLlamaTensors(writer);
  const auto model = Load(writer);
  Recorder program;
  ASSERT_TRUE(model->Emit(program).ok());
  const Recorder::Kept* rope = program.Find("layers.0.rope");
  EXPECT_FLOAT_EQ(rope->Params<RopeParams>().magnitude, 2 * 1.138629436f);
  const auto* table = static_cast<const float*>(rope->weights.at(0).tensor.data);
  EXPECT_THAT(std::vector<float>(table, table + 2), ElementsAre(FloatEq(1), FloatEq(0.01f / 4)));
}

TEST(Decoder, ConvertsHalfNormsToF32) {
  GgufWriter writer = TinyLlamaMetadata();
  AddMatrix(writer, "token_embd.weight", 12, 8);
  std::string halves;
  for (int i = 0; i < 8; ++i) GgufWriter::Put<uint16_t>(halves, 0x3f80);  // bf16 1.0
  writer.Tensor("output_norm.weight", {8}, 30, halves);
  testing::AddTinyLlamaLayer(writer, 0);
  testing::AddTinyLlamaLayer(writer, 1);
  const auto model = Load(writer);
  Recorder program;
  ASSERT_TRUE(model->Emit(program).ok());
  const Weight& norm = program.Find("final_norm")->weights.at(0);
  EXPECT_EQ(norm.tensor.dtype, DType::kF32);
  EXPECT_EQ(std::string_view(norm.name), "output_norm.weight");
  EXPECT_EQ(static_cast<const float*>(norm.tensor.data)[7], 1.0f);
}

TEST(Decoder, NamesAllWrongTensorsInOneError) {
  GgufWriter writer = TinyLlamaMetadata();
  AddMatrix(writer, "token_embd.weight", 12, 8);
  AddMatrix(writer, "output_norm.weight", 1, 4);
  AddMatrix(writer, "stranger.weight", 3, 3);
  testing::AddTinyLlamaLayer(writer, 0);
  const std::string message = ErrorOf(writer);
  EXPECT_THAT(message, HasSubstr("m.gguf: its tensors do not fit a llama of 2 layers, 8 columns, 2 "
                                 "heads of 4, 1 KV heads, 16 feed-forward columns:"));
  EXPECT_THAT(message, HasSubstr("missing: \"blk.1.attn_norm.weight\" [8], "
                                 "\"blk.1.attn_q.weight\" [8, 8], \"blk.1.attn_k.weight\" [4, 8]"));
  EXPECT_THAT(message, HasSubstr("and 1 more"));
  EXPECT_THAT(message, HasSubstr("wrong: \"output_norm.weight\" is [4], [8] expected"));
  EXPECT_THAT(message, HasSubstr("not expected: \"stranger.weight\""));
}

TEST(Decoder, RefusesQuantizedNorms) {
  GgufWriter writer = TinyLlamaMetadata();
  AddMatrix(writer, "token_embd.weight", 12, 8);
  writer.Tensor("output_norm.weight", {32}, 8, std::string(34, '\0'));
  EXPECT_THAT(ErrorOf(writer), HasSubstr("\"output_norm.weight\" is [32], [8] expected"));
}

// The metadata of the tiny llama with one key changed.
std::string ErrorWith(const char* key, GgufType type, const std::string& value) {
  const std::pair<const char*, uint32_t> sizes[] = {
      {"llama.block_count", 2},          {"llama.context_length", 64},
      {"llama.embedding_length", 8},     {"llama.feed_forward_length", 16},
      {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 1}};
  GgufWriter writer;
  writer.Text("general.architecture", "llama");
  for (const auto& [name, size] : sizes) {
    if (std::string_view(name) != key) writer.U32(name, size);
  }
  if (std::string_view(key) != "llama.attention.layer_norm_rms_epsilon") {
    writer.F32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  }
  writer.Raw(key, type, value);
  testing::AddTinyLlamaTensors(writer);
  return ErrorOf(writer);
}

std::string U32(uint32_t value) {
  std::string out;
  GgufWriter::Put(out, value);
  return out;
}

std::string F32(float value) {
  std::string out;
  GgufWriter::Put(out, value);
  return out;
}

TEST(Decoder, RefusesHostileSizes) {
  const auto u32 = [](const char* key, uint32_t value) {
    return ErrorWith(key, GgufType::kU32, U32(value));
  };
  EXPECT_EQ(u32("llama.block_count", 2), "no error");
  EXPECT_THAT(u32("llama.block_count", 0),
              HasSubstr("cannot be used as a model:\n  llama.block_count is 0; an integer from 1"));
  EXPECT_THAT(u32("llama.block_count", UINT32_MAX), HasSubstr("llama.block_count is 4294967295"));
  EXPECT_THAT(u32("llama.block_count", 1000), HasSubstr("missing: \"blk.2."));
  EXPECT_THAT(u32("llama.attention.head_count", 0), HasSubstr("llama.attention.head_count is 0"));
  EXPECT_THAT(u32("llama.attention.head_count", 3), HasSubstr("cannot be shared by 3 heads"));
  EXPECT_THAT(u32("llama.attention.head_count_kv", 0), HasSubstr("head_count_kv is 0"));
  EXPECT_THAT(u32("llama.attention.head_count_kv", 3), HasSubstr("2 heads share 3 KV heads"));
  EXPECT_THAT(u32("llama.embedding_length", 1u << 31), HasSubstr("embedding_length is 2147483648"));
  EXPECT_THAT(u32("llama.attention.key_length", 3), HasSubstr("heads have 3 columns"));
  EXPECT_THAT(u32("llama.attention.value_length", 8), HasSubstr("value_length is 8; 4 expected"));
  EXPECT_THAT(u32("llama.expert_count", 8), HasSubstr("llama.expert_used_count is missing"));
  EXPECT_THAT(u32("llama.rope.dimension_count", 3), HasSubstr("RoPE turns 3 of 3 columns"));
  EXPECT_THAT(u32("llama.rope.dimension_count", 6), HasSubstr("an integer from 2 to 4 expected"));
}

TEST(Decoder, RefusesHostileNumbersAndTypes) {
  const char* epsilon = "llama.attention.layer_norm_rms_epsilon";
  EXPECT_THAT(ErrorWith(epsilon, GgufType::kF32, F32(NAN)), HasSubstr("epsilon is nan; a number"));
  EXPECT_THAT(ErrorWith(epsilon, GgufType::kF32, F32(-1)), HasSubstr("epsilon is -1"));
  EXPECT_THAT(ErrorWith(epsilon, GgufType::kF32, F32(0)), HasSubstr("epsilon is 0"));
  EXPECT_THAT(ErrorWith("llama.rope.freq_base", GgufType::kF32, F32(INFINITY)),
              HasSubstr("freq_base is inf"));
  EXPECT_THAT(
      ErrorWith("llama.block_count", GgufType::kArray, GgufWriter::ArrayHead(GgufType::kU8, 0)),
      HasSubstr("llama.block_count is an array; an integer"));
  std::string type;
  GgufWriter::PutText(type, "longrope");
  EXPECT_THAT(ErrorWith("llama.rope.scaling.type", GgufType::kString, type),
              HasSubstr("rope.scaling.type is \"longrope\"; none, linear and yarn are known"));
}

}  // namespace
}  // namespace tenon::models
