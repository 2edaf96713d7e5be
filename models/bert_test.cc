// SPDX-License-Identifier: Apache-2.0
#include "models/bert.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/load.h"
#include "models/testing/interpreter.h"
#include "models/testing/recorder.h"
#include "models/testing/tiny_bert.h"
#include "models/weights/safetensors.h"

namespace tenon::models {
namespace {

using ::testing::ElementsAre;
using testing::EmptyFolder;
using ::testing::HasSubstr;
using testing::Interpreter;
using testing::Recorder;
using testing::TinyBert;
using testing::WriteFile;

const std::vector<int32_t> kIds = {3, 0, 12, 7, 7, 1};

std::unique_ptr<StoredModel> Load(const std::string& path) {
  auto model = LoadModel(path);
  EXPECT_TRUE(model.ok()) << model.error().message;
  return model.ok() ? std::move(*model) : nullptr;
}

std::string ErrorOf(const std::string& path) {
  const auto model = LoadModel(path);
  return model.ok() ? "no error" : model.error().message;
}

void ExpectComputes(const std::string& path, const std::vector<TinyBert::Row>& want) {
  const auto model = Load(path);
  ASSERT_NE(model, nullptr);
  Recorder program;
  const auto outputs = model->EmitHidden(program);
  ASSERT_TRUE(outputs.ok());
  const auto got = Interpreter::Logits(program, outputs->rows, kIds);
  ASSERT_EQ(got.size(), want.size());
  for (size_t t = 0; t < want.size(); ++t) {
    ASSERT_EQ(got[t].size(), want[t].size());
    for (size_t i = 0; i < want[t].size(); ++i) {
      EXPECT_NEAR(got[t][i], want[t][i], 1e-5) << "token " << t << " column " << i;
    }
  }
}

TEST(Bert, TellsItsSizes) {
  const auto model = Load(TinyBert().WriteFolder(EmptyFolder("bert")));
  ASSERT_NE(model, nullptr);
  const ModelInfo& info = model->Info();
  EXPECT_EQ(info.architecture, "bert");
  EXPECT_TRUE(info.encoder);
  EXPECT_EQ(info.vocabulary, 13);
  EXPECT_EQ(info.hidden, 8);
  EXPECT_EQ(info.layers, 2);
  EXPECT_EQ(info.max_context, 10);
  const uint64_t layer = 4 * (64 + 8) + 2 * 16 + (128 + 16) + (128 + 8);
  EXPECT_EQ(info.parameters, (13 + 10 + 2) * 8 + 16 + 2 * layer);
  EXPECT_EQ(info.stored_bytes, info.parameters * 4);
}

TEST(Bert, RefusesToEmitLogitsAndNamesTheCommand) {
  const auto model = Load(TinyBert().WriteFolder(EmptyFolder("bert")));
  ASSERT_NE(model, nullptr);
  Recorder program;
  const auto outputs = model->Emit(program);
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().status, Status::kUnsupported);
  EXPECT_THAT(outputs.error().message, HasSubstr("is an encoder (bert)"));
  EXPECT_THAT(outputs.error().message, HasSubstr("use `tenon embed`"));
  EXPECT_EQ(program.Count(), 0);
}

TEST(Bert, EmitsTheWholeComputationInOrder) {
  const auto model = Load(TinyBert().WriteFolder(EmptyFolder("bert")));
  ASSERT_NE(model, nullptr);
  Recorder program;
  const auto outputs = model->EmitHidden(program);
  ASSERT_TRUE(outputs.ok());
  std::vector<std::string> names;
  for (const Recorder::Kept& node : program.nodes) names.push_back(node.name);
  EXPECT_THAT(
      std::vector<std::string>(names.begin(), names.begin() + 11),
      ElementsAre("embed", "embed_positions", "embed_norm", "layers.0.qkv", "layers.0.attention",
                  "layers.0.attention_output", "layers.0.attention_norm", "layers.0.ffn_up",
                  "layers.0.activate", "layers.0.ffn_down", "layers.0.ffn_norm"));
  EXPECT_EQ(names.back(), "gather_rows");
  EXPECT_EQ(program.values.at(outputs->rows).columns, 8);
  EXPECT_EQ(program.values.at(outputs->rows).rows, RowSet::kLogitRows);
  const Recorder::Kept* attention = program.Find("layers.1.attention");
  ASSERT_NE(attention, nullptr);
  EXPECT_EQ(attention->kind, kBidirectionalAttention);
  EXPECT_TRUE(attention->needs.Has(Capability::kBidirectional));
  const auto params = attention->Params<BidirectionalAttentionParams>();
  EXPECT_EQ(params.heads, 2);
  EXPECT_EQ(params.head_dim, 4);
  EXPECT_EQ(params.scale, 0.5f);
  EXPECT_TRUE(program.Find("layers.0.qkv")->needs.Has(Capability::kLinearBias));
  EXPECT_EQ(program.Find("layers.0.attention_norm")->inputs.size(), 2u);
}

TEST(Bert, ComputesWhatThePaperSays) {
  const TinyBert bert;
  ExpectComputes(bert.WriteFolder(EmptyFolder("bert")), bert.Hidden(kIds));
}

TEST(Bert, ComputesTheSameFromGguf) {
  const TinyBert bert;
  ExpectComputes(WriteFile(EmptyFolder("bert_gguf") / "m.gguf", bert.Gguf().Bytes()),
                 bert.Hidden(kIds));
}

TEST(Bert, ReadsATasksCheckpointWithOldNormNames) {
  TinyBert bert;
  const auto want = bert.Hidden(kIds);
  bert.tensors["cls.predictions.bias"] = TinyBert::Values(13);
  bert.tensors["pooler.dense.bias"] = TinyBert::Values(8);
  const auto rename = [](std::string name) {
    if (name.starts_with("cls.")) return name;
    const size_t norm = name.find("LayerNorm.");
    if (norm != std::string::npos) {
      name = name.substr(0, norm + 10) + (name.ends_with("weight") ? "gamma" : "beta");
    }
    return "bert." + name;
  };
  ExpectComputes(bert.WriteFolder(EmptyFolder("bert_task"), TinyBert::Config(), rename), want);
}

TEST(Bert, SkipsStoredPositionNumbers) {
  const std::string path = TinyBert().WriteFolder(EmptyFolder("bert_ids"));
  const std::string header =
      R"({"embeddings.position_ids":{"dtype":"I64","shape":[1,2],"data_offsets":[0,16]}})";
  const auto file = WriteFile(std::filesystem::path(path) / "ids.safetensors",
                              testing::SafetensorsBytes(header, std::string(16, '\0')));
  const auto opened = SafetensorsFile::Open(file);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->TensorCount(), 0u);
  const auto cut = WriteFile(std::filesystem::path(path) / "cut.safetensors",
                             testing::SafetensorsBytes(header, std::string(12, '\0')));
  EXPECT_FALSE(SafetensorsFile::Open(cut).ok());
}

TEST(Roberta, StartsItsPositionsBehindThePaddings) {
  TinyBert bert;
  const auto keep = [](const std::string& name) { return name; };
  for (const char* type : {"roberta", "xlm-roberta"}) {
    const std::string path = bert.WriteFolder(EmptyFolder("roberta"),
                                              TinyBert::Config(R"(,"pad_token_id":1)", type), keep);
    ExpectComputes(path, bert.Hidden(kIds, 2));
    const auto model = Load(path);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->Info().max_context, 8);
    EXPECT_EQ(model->Info().architecture, type);
  }
  const std::string none = bert.WriteFolder(
      EmptyFolder("roberta"), TinyBert::Config(R"(,"pad_token_id":9)", "roberta"), keep);
  EXPECT_THAT(ErrorOf(none), HasSubstr("more than pad_token_id + 1 = 10 expected"));
}

TEST(DistilBert, HasNamesAndKeysOfItsOwn) {
  const TinyBert bert;
  const auto rename = [](std::string name) {
    const std::vector<std::pair<std::string, std::string>> parts = {
        {"encoder.layer", "transformer.layer"},
        {"attention.self.query", "attention.q_lin"},
        {"attention.self.key", "attention.k_lin"},
        {"attention.self.value", "attention.v_lin"},
        {"attention.output.dense", "attention.out_lin"},
        {"attention.output.LayerNorm", "sa_layer_norm"},
        {"intermediate.dense", "ffn.lin1"},
        {"output.dense", "ffn.lin2"},
        {"output.LayerNorm", "output_layer_norm"}};
    if (name.find("token_type") != std::string::npos) return std::string();
    for (const auto& [from, to] : parts) {
      const size_t at = name.find(from);
      if (at != std::string::npos) name.replace(at, from.size(), to);
    }
    return "distilbert." + name;
  };
  const std::string config =
      R"({"model_type":"distilbert","vocab_size":13,"dim":8,"n_layers":2,"n_heads":2,)"
      R"("hidden_dim":16,"activation":"gelu","max_position_embeddings":10})";
  ExpectComputes(bert.WriteFolder(EmptyFolder("distilbert"), config, rename),
                 bert.Hidden(kIds, 0, false));
}

TEST(Bert, SaysWhatCannotBeRead) {
  const TinyBert bert;
  const auto error = [&](const std::string& config) {
    return ErrorOf(bert.WriteFolder(EmptyFolder("bert_bad"), config,
                                    [](const std::string& name) { return name; }));
  };
  EXPECT_THAT(error(TinyBert::Config(R"(,"position_embedding_type":"relative_key")")),
              HasSubstr(R"(position_embedding_type is "relative_key"; "absolute" can be read)"));
  EXPECT_THAT(error(TinyBert::Config(R"(,"is_decoder":true)")), HasSubstr("is_decoder is true"));
  EXPECT_THAT(error(TinyBert::Config(R"(,"num_attention_heads":3)")),
              HasSubstr("3 heads share 8 columns"));
  EXPECT_THAT(error(TinyBert::Config(R"(,"max_position_embeddings":12)")),
              HasSubstr("position_embeddings.weight\" is [10, 8], [12, 8] expected"));
  EXPECT_THAT(error(TinyBert::Config(R"(,"hidden_act":"mish")")), HasSubstr("\"mish\""));
}

}  // namespace
}  // namespace tenon::models
