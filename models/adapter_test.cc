// SPDX-License-Identifier: Apache-2.0
#include "models/adapter.h"

#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/load.h"
#include "models/testing/safetensors_writer.h"
#include "models/testing/tiny_llama.h"

namespace tenon::models {
namespace {

using ::testing::ElementsAre;
using testing::EmptyFolder;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::SafetensorsWriter;
using testing::WriteFile;

constexpr const char* kConfig =
    R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj",)"
    R"( "down_proj", "lm_head"], "rank_pattern": {"layers.1.mlp.down_proj": 3}})";
constexpr const char* kQ = "base_model.model.model.layers.0.self_attn.q_proj";
constexpr const char* kDown = "base_model.model.model.layers.1.mlp.down_proj";

std::unique_ptr<StoredModel> TinyModel() {
  const auto folder = EmptyFolder("adapter_model");
  auto model = LoadModel(WriteFile(folder / "m.gguf", testing::TinyLlama().Bytes()));
  EXPECT_TRUE(model.ok()) << model.error().message;
  return std::move(*model);
}

// Values 0, 1, 2, …
void AddFactor(SafetensorsWriter& file, const std::string& name, uint64_t rows, uint64_t columns) {
  std::vector<float> values(rows * columns);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  file.F32(name, {rows, columns}, values);
}

void AddPair(SafetensorsWriter& file, const std::string& module, uint64_t rank, uint64_t inputs,
             uint64_t outputs, const std::string& ending = ".weight") {
  AddFactor(file, module + ".lora_A" + ending, rank, inputs);
  AddFactor(file, module + ".lora_B" + ending, outputs, rank);
}

Result<StoredAdapter> Open(const SafetensorsWriter& file, const StoredModel& model,
                           const std::string& config = kConfig) {
  const auto folder = EmptyFolder("adapter");
  WriteFile(folder / "adapter_config.json", config);
  WriteFile(folder / "adapter_model.safetensors", file.Bytes());
  return StoredAdapter::Open(folder.string(), model);
}

std::string ErrorOf(const SafetensorsWriter& file, const std::string& config = kConfig) {
  const auto model = TinyModel();
  const auto adapter = Open(file, *model, config);
  return adapter.ok() ? "no error" : adapter.error().message;
}

TEST(StoredAdapter, FindsTheMatricesOfItsModules) {
  const auto model = TinyModel();
  SafetensorsWriter file;
  AddPair(file, kQ, 2, 8, 8);
  AddPair(file, kDown, 3, 16, 8, ".default.weight");
  const auto adapter = Open(file, *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  ASSERT_EQ(adapter->Matrices().size(), 2u);
  const AdapterMatrix& q = adapter->Matrices()[0];
  EXPECT_EQ(q.module, "model.layers.0.self_attn.q_proj");
  EXPECT_EQ(q.weight, "blk.0.attn_q.weight");
  EXPECT_EQ(q.scale, 3.0F);
  EXPECT_EQ(q.a.rows, 2);
  EXPECT_EQ(q.a.columns, 8);
  const AdapterMatrix& down = adapter->Matrices()[1];
  EXPECT_EQ(down.weight, "blk.1.ffn_down.weight");
  EXPECT_EQ(down.scale, 2.0F);
  EXPECT_EQ(down.b.columns, 3);
  EXPECT_EQ(adapter->Rank(), 3);
  EXPECT_THAT(adapter->Targets(), ElementsAre("down_proj", "q_proj"));
  EXPECT_EQ(adapter->Bytes(), 4u * (2 * 8 + 8 * 2 + 3 * 16 + 8 * 3));
}

// Heads of 4: the file's rows 0 1 2 3 of a head are the module's 0 2 1 3.
TEST(StoredAdapter, ReordersRowsAsTheConverterToGgufDoes) {
  const auto model = TinyModel();
  SafetensorsWriter file;
  AddPair(file, kQ, 2, 8, 8);
  AddPair(file, "base_model.model.model.layers.0.self_attn.v_proj", 2, 8, 4);
  const auto adapter = Open(file, *model);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  std::vector<float> b(16);
  std::memcpy(b.data(), adapter->Matrices()[0].b.data, 64);
  EXPECT_THAT(b, ElementsAre(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  b.resize(8);
  std::memcpy(b.data(), adapter->Matrices()[1].b.data, 32);
  EXPECT_THAT(b, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(StoredAdapter, KeepsTheOrderOfAHuggingFaceFolder) {
  const auto model = LoadModel(TENON_SOURCE_DIR "/tests/data/models/llama");
  ASSERT_TRUE(model.ok()) << model.error().message;
  const auto target = (*model)->FindAdapterTarget("model.layers.0.self_attn.q_proj");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->weight, "model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(target->head_rows, 0);
  EXPECT_TRUE((*model)->FindAdapterTarget("lm_head").has_value());
}

TEST(AdapterTarget, EveryStoredRowIsOneOfTheModules) {
  const auto model = TinyModel();
  const auto k = model->FindAdapterTarget("model.layers.1.self_attn.k_proj");
  ASSERT_TRUE(k.has_value());
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < k->rows; ++row) rows.push_back(k->ModuleRow(row));
  EXPECT_THAT(rows, ElementsAre(0, 2, 1, 3));
}

TEST(AdapterTarget, OtherModulesHaveNone) {
  const auto model = TinyModel();
  for (const char* module :
       {"model.layers.2.self_attn.q_proj", "model.layers.-1.mlp.up_proj",
        "model.layers.x.mlp.up_proj", "model.layers.99999999999999999999.mlp.up_proj",
        "model.layers.0.self_attn", "model.layers.0", "model.layers.0.mlp.gate_up_proj",
        "model.embed_tokens", "lm_head", "", "model.layers."}) {
    EXPECT_FALSE(model->FindAdapterTarget(module).has_value()) << module;
  }
}

GgufWriter TinyPhi3() {
  GgufWriter w;
  w.Text("general.architecture", "phi3");
  w.U32("phi3.block_count", 1);
  w.U32("phi3.context_length", 64);
  w.U32("phi3.embedding_length", 8);
  w.U32("phi3.feed_forward_length", 16);
  w.U32("phi3.attention.head_count", 2);
  w.U32("phi3.attention.head_count_kv", 1);
  w.F32("phi3.attention.layer_norm_rms_epsilon", 1e-5f);
  testing::AddMatrix(w, "token_embd.weight", 12, 8);
  testing::AddMatrix(w, "output_norm.weight", 1, 8);
  testing::AddMatrix(w, "blk.0.attn_norm.weight", 1, 8);
  testing::AddMatrix(w, "blk.0.attn_qkv.weight", 16, 8);
  testing::AddMatrix(w, "blk.0.attn_output.weight", 8, 8);
  testing::AddMatrix(w, "blk.0.ffn_norm.weight", 1, 8);
  testing::AddMatrix(w, "blk.0.ffn_up.weight", 32, 8);
  testing::AddMatrix(w, "blk.0.ffn_down.weight", 8, 16);
  return w;
}

TEST(StoredAdapter, PutsPartsOfFusedMatricesAtTheirRows) {
  const auto folder = EmptyFolder("adapter_phi3");
  const auto model = LoadModel(WriteFile(folder / "m.gguf", TinyPhi3().Bytes()));
  ASSERT_TRUE(model.ok()) << model.error().message;
  SafetensorsWriter file;
  AddPair(file, "base_model.model.model.layers.0.self_attn.k_proj", 1, 8, 4);
  AddPair(file, "base_model.model.model.layers.0.mlp.up_proj", 1, 8, 16);
  AddPair(file, "base_model.model.model.layers.0.self_attn.qkv_proj", 1, 8, 16);
  const auto adapter =
      Open(file, **model,
           R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": "all-linear"})");
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const auto values = [&](size_t i) {
    const Tensor& b = adapter->Matrices()[i].b;
    const float* data = static_cast<const float*>(b.data);
    return std::vector<float>(data, data + b.rows);
  };
  EXPECT_EQ(adapter->Matrices()[0].weight, "blk.0.ffn_up.weight");
  std::vector<float> up(32);
  for (size_t i = 0; i < 16; ++i) up[16 + i] = static_cast<float>(i);
  EXPECT_EQ(values(0), up);
  EXPECT_EQ(adapter->Matrices()[1].weight, "blk.0.attn_qkv.weight");
  EXPECT_THAT(values(1), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0));
  EXPECT_EQ(adapter->Matrices()[2].weight, "blk.0.attn_qkv.weight");
  EXPECT_EQ(values(2)[15], 15);
}

TEST(StoredAdapter, TellsAllThatDoesNotFitAtOnce) {
  SafetensorsWriter file;
  AddPair(file, kQ, 4, 8, 8);
  AddFactor(file, "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight", 2, 8);
  AddPair(file, "base_model.model.model.layers.7.self_attn.q_proj", 2, 8, 8);
  AddPair(file, "base_model.model.model.layers.0.mlp.up_proj", 2, 8, 16);
  AddPair(file, "base_model.model.lm_head", 2, 8, 12);
  AddFactor(file, "base_model.model.model.embed_tokens.lora_embedding_A", 2, 8);
  const std::string error = ErrorOf(file);
  EXPECT_THAT(error, HasSubstr("does not fit Tiny:"));
  EXPECT_THAT(error, HasSubstr(R"(q_proj": lora_A is [4, 8], [2, 8] expected)"));
  EXPECT_THAT(error, HasSubstr(R"(v_proj": lora_B is missing)"));
  EXPECT_THAT(error, HasSubstr(R"("model.layers.7.self_attn.q_proj": the model has no such)"));
  EXPECT_THAT(error, HasSubstr(R"(up_proj" is not among target_modules)"));
  EXPECT_THAT(error, HasSubstr(R"("lm_head": the model has no such matrix)"));
  EXPECT_THAT(error, HasSubstr(R"(lora_embedding_A" is no factor)"));
}

TEST(StoredAdapter, RefusesHostileFolders) {
  SafetensorsWriter none;
  EXPECT_THAT(ErrorOf(none), HasSubstr("it has no tensors"));
  SafetensorsWriter wrong;
  AddFactor(wrong, std::string(kQ) + ".lora_A.weight", 2, 8);
  AddFactor(wrong, std::string(kQ) + ".lora_B.weight", 9, 2);
  EXPECT_THAT(ErrorOf(wrong), HasSubstr("lora_B is [9, 2], [8, 2] expected"));
  SafetensorsWriter twice;
  AddPair(twice, kQ, 2, 8, 8);
  AddPair(twice, kQ, 2, 8, 8, ".default.weight");
  EXPECT_THAT(ErrorOf(twice), HasSubstr("is there twice"));
  SafetensorsWriter many;
  for (int i = 0; i < 40; ++i) AddFactor(many, "x" + std::to_string(i), 1, 1);
  EXPECT_THAT(ErrorOf(many), HasSubstr("and 24 more"));
  SafetensorsWriter sound;
  AddPair(sound, kQ, 2, 8, 8);
  EXPECT_EQ(ErrorOf(sound), "no error");
  EXPECT_THAT(ErrorOf(sound, R"({"peft_type": "LORA"})"),
              HasSubstr("cannot be used as an adapter"));
  const auto model = TinyModel();
  const auto absent = StoredAdapter::Open("/nowhere/at/all", *model);
  ASSERT_FALSE(absent.ok());
  EXPECT_THAT(absent.error().message, HasSubstr("/nowhere/at/all/adapter_config.json"));
}

// A file cut short anywhere is refused before a tensor of it is read.
TEST(StoredAdapter, RefusesFilesCutShort) {
  SafetensorsWriter file;
  AddPair(file, kQ, 2, 8, 8);
  const std::string bytes = file.Bytes();
  const auto model = TinyModel();
  const auto folder = EmptyFolder("adapter_cut");
  WriteFile(folder / "adapter_config.json", kConfig);
  for (size_t size = 1; size < bytes.size(); size += 7) {
    WriteFile(folder / "adapter_model.safetensors", bytes.substr(0, size));
    EXPECT_FALSE(StoredAdapter::Open(folder.string(), *model).ok()) << size;
  }
}

}  // namespace
}  // namespace tenon::models
