// SPDX-License-Identifier: Apache-2.0
// Whole models from files: what they compute, and what damage does to them.
#include "models/load.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/hostile.h"
#include "models/testing/recorder.h"
#include "models/testing/reference.h"
#include "models/testing/tiny_llama.h"
#include "models/testing/tiny_reference.h"
#include "models/weights/safetensors.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::CasesOf;
using testing::EmptyFolder;
using testing::ExpectMatchesReference;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::kLlamaNames;
using testing::Names;
using testing::PairsAsNeighbours;
using testing::Put;
using testing::Recorder;
using testing::Values;
using testing::WriteFile;

const fs::path kTiny = fs::path(TENON_SOURCE_DIR) / "tests/data/models";

std::string ErrorOf(const fs::path& path) {
  const auto model = LoadModel(path.string());
  return model.ok() ? "no error" : model.error().message;
}

TEST(LoadModel, ComputesLlamaFromSafetensors) {
  ExpectMatchesReference(kTiny / "llama", CasesOf(kTiny / "llama"));
}

TEST(LoadModel, ComputesGemma3FromSafetensors) {
  ExpectMatchesReference(kTiny / "gemma3_text", CasesOf(kTiny / "gemma3_text"));
}

TEST(LoadModel, ComputesMistralFromSafetensors) {
  const fs::path folder = fs::path(TENON_SHARED_DIR) / "reference/tiny/mistral";
  if (!fs::exists(folder)) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

// ---- the same models as GGUF files

TEST(LoadModel, ComputesLlamaFromGguf) {
  const auto file = SafetensorsFile::OpenFolder((kTiny / "llama").string());
  ASSERT_TRUE(file.ok());
  GgufWriter w;
  w.Text("general.architecture", "llama");
  w.U32("llama.block_count", 3);
  w.U32("llama.context_length", 512);
  w.U32("llama.embedding_length", 64);
  w.U32("llama.feed_forward_length", 160);
  w.U32("llama.attention.head_count", 4);
  w.U32("llama.attention.head_count_kv", 2);
  w.F32("llama.attention.layer_norm_rms_epsilon", 1e-6f);
  // What llama3 scaling (factor 8, 1 to 4, from 64) does to the frequencies, as divisors.
  std::vector<float> factors;
  for (int i = 0; i < 8; ++i) {
    const double wave = 2 * M_PI * std::pow(10000.0, i / 8.0);
    const double smooth = (64 / wave - 1) / 3;
    factors.push_back(wave < 16   ? 1
                      : wave > 64 ? 8
                                  : static_cast<float>(1 / ((1 - smooth) / 8 + smooth)));
  }
  Put(w, "rope_freqs.weight", factors, 8);
  Put(w, "token_embd.weight", Values(*file, "model.embed_tokens.weight"), 64);
  Put(w, "output.weight", Values(*file, "lm_head.weight"), 64);
  Put(w, "output_norm.weight", Values(*file, "model.norm.weight"), 64);
  for (int layer = 0; layer < 3; ++layer) {
    const std::string from = "model.layers." + std::to_string(layer) + ".";
    const std::string to = "blk." + std::to_string(layer) + ".";
    for (const auto& [theirs, ours] : kLlamaNames) {
      std::vector<float> values = Values(*file, from + theirs + ".weight");
      if (ours == "attn_q" || ours == "attn_k") values = PairsAsNeighbours(values, 16, 64);
      Put(w, to + ours + ".weight", values, ours == "ffn_down" ? 160 : 64);
    }
  }
  const std::string path = WriteFile(EmptyFolder("llama") / "m.gguf", w.Bytes());
  ExpectMatchesReference(path, CasesOf(kTiny / "llama"));
}

TEST(LoadModel, ComputesGemma3FromGguf) {
  const auto file = SafetensorsFile::OpenFolder((kTiny / "gemma3_text").string());
  ASSERT_TRUE(file.ok());
  Names names = kLlamaNames;
  names["self_attn.q_norm"] = "attn_q_norm";
  names["self_attn.k_norm"] = "attn_k_norm";
  names["post_attention_layernorm"] = "post_attention_norm";
  names["pre_feedforward_layernorm"] = "ffn_norm";
  names["post_feedforward_layernorm"] = "post_ffw_norm";
  const auto plus_one = [](std::vector<float> values) {
    for (float& value : values) value += 1;
    return values;
  };
  GgufWriter w;
  w.Text("general.architecture", "gemma3");
  w.U32("gemma3.block_count", 3);
  w.U32("gemma3.context_length", 512);
  w.U32("gemma3.embedding_length", 64);
  w.U32("gemma3.feed_forward_length", 160);
  w.U32("gemma3.attention.head_count", 4);
  w.U32("gemma3.attention.head_count_kv", 2);
  w.U32("gemma3.attention.key_length", 16);
  w.U32("gemma3.attention.value_length", 16);
  w.U32("gemma3.attention.sliding_window", 8);
  w.F32("gemma3.rope.freq_base", 1e6f);
  w.F32("gemma3.attention.layer_norm_rms_epsilon", 1e-6f);
  Put(w, "token_embd.weight", Values(*file, "model.embed_tokens.weight"), 64);
  Put(w, "output_norm.weight", plus_one(Values(*file, "model.norm.weight")), 64);
  for (int layer = 0; layer < 3; ++layer) {
    const std::string from = "model.layers." + std::to_string(layer) + ".";
    const std::string to = "blk." + std::to_string(layer) + ".";
    for (const auto& [theirs, ours] : names) {
      std::vector<float> values = Values(*file, from + theirs + ".weight");
      if (ours.ends_with("norm")) values = plus_one(std::move(values));
      const uint64_t norm_columns = ours.ends_with("q_norm") || ours.ends_with("k_norm") ? 16 : 64;
      Put(w, to + ours + ".weight", values, ours == "ffn_down" ? 160 : norm_columns);
    }
  }
  const std::string path = WriteFile(EmptyFolder("gemma3") / "m.gguf", w.Bytes());
  ExpectMatchesReference(path, CasesOf(kTiny / "gemma3_text"));
}

// ---- configs

// The tiny model of that name with another config.
fs::path WithConfig(const char* name, const std::string& config) {
  const fs::path folder = EmptyFolder("config");
  fs::create_symlink(fs::canonical(kTiny / name / "model.safetensors"),
                     folder / "model.safetensors");
  WriteFile(folder / "config.json", config);
  return folder;
}

std::string ConfigOf(const char* name) {
  std::ifstream in(kTiny / name / "config.json");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  if (at != text.npos) text.replace(at, from.size(), to);
  return text;
}

TEST(LoadModel, ReadsOlderRopeKeys) {
  const std::string config =
      Replaced(Replaced(ConfigOf("llama"), "\"rope_parameters\"", "\"rope_scaling\""),
               "\"vocab_size\"", "\"rope_theta\": 10000.0, \"vocab_size\"");
  const fs::path folder = WithConfig("llama", config);
  ExpectMatchesReference(folder, CasesOf(kTiny / "llama"));
}

TEST(LoadModel, ReadsOlderGemma3Keys) {
  // Without layer_types and rope_parameters: every sixth layer is global, thetas are the defaults.
  std::string config = ConfigOf("gemma3_text");
  config = Replaced(config, "\"layer_types\"", "\"unknown_types\"");
  config = Replaced(config, "\"rope_parameters\"", "\"rope_local_base_freq\": 10000.0, \"other\"");
  const fs::path folder = WithConfig("gemma3_text", config);
  ExpectMatchesReference(folder, CasesOf(kTiny / "gemma3_text"));
}

TEST(LoadModel, GivesGemma3LayersTheirWindowsAndFrequencies) {
  const std::string config =
      Replaced(ConfigOf("gemma3_text"), "\"sliding_attention\",\n    \"sliding_attention\"\n",
               "\"full_attention\",\n    \"sliding_attention\"\n");
  const auto model = LoadModel(WithConfig("gemma3_text", config).string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const auto window = [&](const char* name) {
    return program.Find(name)->Params<AttentionParams>().window;
  };
  EXPECT_EQ(window("layers.0.attention"), 8);
  EXPECT_EQ(window("layers.1.attention"), 0);
  const auto second = [&](const char* name) {
    return static_cast<const float*>(program.Find(name)->weights.at(0).tensor.data)[1];
  };
  EXPECT_FLOAT_EQ(second("layers.0.rope"), std::pow(10000.0f, -1.0f / 8));
  EXPECT_FLOAT_EQ(second("layers.1.rope"), std::pow(1e6f, -1.0f / 8));
  EXPECT_EQ(program.Find("embed")->Params<EmbedParams>().scale, 8);
  EXPECT_EQ(program.Find("layers.0.q_norm")->Params<RmsNormParams>().weight_offset, 1);
  EXPECT_EQ(program.Find("layers.0.q_norm")->Params<RmsNormParams>().group, 16);
  EXPECT_EQ(program.Find("layers.0.glu")->Params<GluParams>().activation, Activation::kGeluTanh);
  EXPECT_EQ(program.CountOf(kAdd), 6);
}

TEST(LoadModel, RefusesConfigsItCannotFollow) {
  const std::string llama = ConfigOf("llama");
  const std::string gemma = ConfigOf("gemma3_text");
  const auto error = [](const char* name, const std::string& config) {
    return ErrorOf(WithConfig(name, config));
  };
  EXPECT_THAT(error("llama", Replaced(llama, "\"llama3\"", "\"longrope\"")),
              HasSubstr("the type of rope_parameters is \"longrope\"; default, linear, dynamic, "));
  EXPECT_THAT(error("llama", Replaced(llama, "\"silu\"", "\"relu\"")),
              HasSubstr("hidden_act is \"relu\""));
  EXPECT_THAT(error("llama", Replaced(llama, "\"model_type\": \"llama\"", "\"model_type\": \"x\"")),
              HasSubstr("its architecture is \"x\"; these can be read: llama, mistral, mixtral"));
  EXPECT_THAT(error("llama", Replaced(llama, "1e-06", "1e-999")), HasSubstr("rms_norm_eps is 0"));
  EXPECT_THAT(
      error("llama", Replaced(llama, "\"high_freq_factor\": 4.0", "\"high_freq_factor\": 1.0")),
      HasSubstr("high_freq_factor is 1; more than low_freq_factor (1) expected"));
  EXPECT_THAT(
      error("llama", Replaced(llama, "\"num_attention_heads\": 4", "\"num_attention_heads\": 0")),
      HasSubstr("num_attention_heads is 0; an integer from 1"));
  EXPECT_THAT(error("llama", Replaced(llama, "\"vocab_size\": 320", "\"vocab_size\": 319")),
              HasSubstr("wrong: \"model.embed_tokens.weight\" is [320, 64], [319, 64] expected"));
  EXPECT_THAT(
      error("llama", Replaced(llama, "\"attention_bias\": false", "\"attention_bias\": true")),
      HasSubstr("missing: \"model.layers.0.self_attn.q_proj.bias\" [64]"));
  EXPECT_THAT(error("gemma3_text", Replaced(gemma, "\"sliding_attention\"", "\"odd\"")),
              HasSubstr("layer_types.0 is \"odd\""));
  EXPECT_THAT(
      error("gemma3_text", Replaced(gemma, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2")),
      HasSubstr("layer_types has 3 entries; 2 expected"));
  EXPECT_THAT(error("gemma3_text", Replaced(gemma, "\"use_bidirectional_attention\": false",
                                            "\"use_bidirectional_attention\": true")),
              HasSubstr("only causal attention"));
}

TEST(LoadModel, TellsSeveralProblemsAtOnce) {
  std::string config = ConfigOf("llama");
  config = Replaced(config, "\"hidden_size\": 64", "\"hidden_size\": -1");
  config = Replaced(config, "\"head_dim\": 16", "\"head_dim\": \"wide\"");
  const std::string message = ErrorOf(WithConfig("llama", config));
  EXPECT_THAT(message, HasSubstr("hidden_size is -1; an integer from 1 to 1048576 expected"));
  EXPECT_THAT(message, HasSubstr("head_dim is \"wide\"; an integer"));
}

TEST(LoadModel, CarriesBiases) {
  const fs::path folder = EmptyFolder("bias");
  std::string config = ConfigOf("llama");
  config = Replaced(config, "\"attention_bias\": false", "\"attention_bias\": true");
  config = Replaced(config, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1");
  WriteFile(folder / "config.json", config);
  const auto seed = SafetensorsFile::OpenFolder((kTiny / "llama").string());
  ASSERT_TRUE(seed.ok());
  std::string header = "{", data;
  const auto add = [&](const std::string& name, const std::string& shape, size_t bytes) {
    header += (data.empty() ? "\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + shape +
              R"(],"data_offsets":[)" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + bytes) + "]}";
    data.append(bytes, '\0');
  };
  for (size_t i = 0; i < seed->TensorCount(); ++i) {
    const StoredTensor& t = seed->TensorAt(i);
    if (t.name.starts_with("model.layers.") && !t.name.starts_with("model.layers.0.")) continue;
    const std::string columns = std::to_string(t.tensor.columns);
    add(std::string(t.name),
        t.tensor.rows == 1 ? columns : std::to_string(t.tensor.rows) + "," + columns,
        static_cast<size_t>(t.tensor.rows * t.tensor.columns) * 4);
  }
  add("model.layers.0.self_attn.q_proj.bias", "64", 256);
  add("model.layers.0.self_attn.k_proj.bias", "32", 128);
  add("model.layers.0.self_attn.v_proj.bias", "32", 128);
  add("model.layers.0.self_attn.o_proj.bias", "64", 256);
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  std::string bytes;
  GgufWriter::Put<uint64_t>(bytes, header.size());
  WriteFile(folder / "model.safetensors", bytes + header + data);
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* qkv = program.Find("layers.0.qkv");
  EXPECT_EQ(qkv->weights.size(), 6u);
  EXPECT_EQ(qkv->Params<LinearParams>().matrices, 3);
  EXPECT_EQ(qkv->Params<LinearParams>().has_bias, 1u);
  EXPECT_TRUE(qkv->needs.Has(Capability::kLinearBias));
  EXPECT_EQ(program.Find("layers.0.gate_up")->Params<LinearParams>().has_bias, 0u);
}

// ---- what is no model

TEST(LoadModel, SaysWhatIsNoModel) {
  const fs::path folder = EmptyFolder("none");
  EXPECT_THAT(ErrorOf(folder / "none.gguf"), HasSubstr("there is no such file"));
  EXPECT_THAT(ErrorOf(folder), HasSubstr("config.json: there is no such file"));
  EXPECT_THAT(ErrorOf(folder / "model.safetensors"),
              HasSubstr("give the folder that holds config.json and the weights"));
  WriteFile(folder / "config.json", "{}");
  EXPECT_THAT(ErrorOf(folder), HasSubstr("model_type is no string; one of llama"));
  GgufWriter other;
  other.Text("general.architecture", "clip");
  EXPECT_THAT(ErrorOf(WriteFile(folder / "m.gguf", other.Bytes())),
              HasSubstr("its architecture is \"clip\"; these can be read: llama, qwen2"));
  EXPECT_THAT(ErrorOf(WriteFile(folder / "m.gguf", GgufWriter().Bytes())),
              HasSubstr("\"general.architecture\" is missing"));
}

TEST(LoadModel, DamagedModelsAreReadOrRefused) {
  GgufWriter seed = testing::TinyLlamaMetadata();
  seed.Text("tokenizer.ggml.model", "llama");
  seed.Texts("tokenizer.ggml.tokens", {"a", "b"});
  seed.Array<float>("tokenizer.ggml.scores", GgufType::kF32, {0, 1});
  testing::AddTinyLlamaTensors(seed);
  int read = 0, refused = 0;
  const auto load = [&](std::span<const std::byte> bytes, const std::string& what) {
    auto file = GgufFile::Read(bytes, "m.gguf");
    if (!file.ok()) {
      ++refused;
      return;
    }
    const auto model = LoadModel(std::move(*file));
    if (!model.ok()) {
      ++refused;
      EXPECT_FALSE(model.error().message.empty()) << what;
      return;
    }
    ++read;
    Recorder program;
    EXPECT_TRUE((*model)->Emit(program).ok()) << what;
  };
  testing::EachByteChanged(seed.Bytes(), seed.HeaderBytes(), load);
  EXPECT_GT(read, 50);
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace tenon::models
