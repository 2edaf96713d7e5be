// SPDX-License-Identifier: Apache-2.0
#include "models/bert.h"

#include <utility>

#include "fmt/format.h"
#include "models/bert_encoder.h"
#include "models/decoder_spec.h"
#include "models/settings.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr int32_t kMostHidden = 1 << 20;
constexpr int32_t kMostLayers = 1024;
constexpr int32_t kMostHeads = 1 << 14;
constexpr int32_t kMostHeadDim = 1 << 12;
constexpr int32_t kMostFfn = 1 << 24;
constexpr int32_t kMostPositions = 1 << 24;
constexpr int32_t kMostVocabulary = 1 << 24;
constexpr int32_t kMostTokenTypes = 1 << 16;
constexpr double kLeastEpsilon = 1e-20;

// What each size is called.
struct SizeKeys {
  const char *hidden, *layers, *heads, *ffn, *positions;
};
constexpr SizeKeys kGgufKeys = {"embedding_length", "block_count", "attention.head_count",
                                "feed_forward_length", "context_length"};
constexpr SizeKeys kConfigKeys = {"hidden_size", "num_hidden_layers", "num_attention_heads",
                                  "intermediate_size", "max_position_embeddings"};
constexpr SizeKeys kDistilKeys = {"dim", "n_layers", "n_heads", "hidden_dim",
                                  "max_position_embeddings"};

EncoderSpec ReadSizes(Settings& in, const SizeKeys& keys, std::string_view architecture) {
  EncoderSpec spec;
  spec.architecture = architecture;
  spec.hidden = in.Integer(keys.hidden, 1, kMostHidden);
  spec.layers = in.Integer(keys.layers, 1, kMostLayers);
  spec.heads = in.Integer(keys.heads, 1, kMostHeads);
  spec.ffn = in.Integer(keys.ffn, 1, kMostFfn);
  spec.position_rows = in.Integer(keys.positions, 1, kMostPositions);
  if (spec.hidden % spec.heads != 0 || spec.hidden / spec.heads > kMostHeadDim) {
    in.Fail(fmt::format("{} heads share {} columns; a divisor that leaves each at most {} expected",
                        spec.heads, spec.hidden, kMostHeadDim));
  }
  return spec;
}

void CheckPositions(Settings& in) {
  const std::string_view kind = in.TextOr("position_embedding_type", "absolute");
  if (kind != "absolute") {
    in.Fail(fmt::format("position_embedding_type is {}; \"absolute\" can be read", Quoted(kind)));
  }
}

EncoderSpec FromConfig(Settings& in, std::string_view architecture) {
  EncoderSpec spec = ReadSizes(in, kConfigKeys, architecture);
  spec.vocabulary = in.Integer("vocab_size", 1, kMostVocabulary);
  spec.token_types = in.IntegerOr("type_vocab_size", 2, 1, kMostTokenTypes);
  spec.norm_epsilon = static_cast<float>(in.RealOr("layer_norm_eps", 1e-12, kLeastEpsilon, 1));
  spec.activation = ReadActivation(in, "hidden_act", "gelu");
  CheckPositions(in);
  if (in.FlagOr("is_decoder", false)) {
    in.Fail("is_decoder is true; only encoders of this architecture can be read");
  }
  return spec;
}

EncoderSpec FromGguf(Settings& in) {
  EncoderSpec spec = ReadSizes(in, kGgufKeys, "bert");
  spec.norm_epsilon = static_cast<float>(in.Real("attention.layer_norm_epsilon", kLeastEpsilon, 1));
  if (in.FlagOr("attention.causal", false)) {
    in.Fail("attention.causal is true; only encoders of this architecture can be read");
  }
  spec.names = GgufEncoderNames();
  return spec;
}

}  // namespace

EncoderNames GgufEncoderNames() {
  EncoderNames n;
  n.embedding = "token_embd";
  n.positions = "position_embd";
  n.token_types = "token_types";
  n.embedding_norm = "token_embd_norm";
  n.layer = "blk.{}.";
  n.q = "attn_q";
  n.k = "attn_k";
  n.v = "attn_v";
  n.output = "attn_output";
  n.attention_norm = "attn_output_norm";
  n.up = "ffn_up";
  n.down = "ffn_down";
  n.ffn_norm = "layer_output_norm";
  n.ignored = {"cls", "cls.output"};
  return n;
}

EncoderNames BertNames() {
  EncoderNames n;
  n.prefix = "bert.";
  n.embedding = "embeddings.word_embeddings";
  n.positions = "embeddings.position_embeddings";
  n.token_types = "embeddings.token_type_embeddings";
  n.embedding_norm = "embeddings.LayerNorm";
  n.layer = "encoder.layer.{}.";
  n.q = "attention.self.query";
  n.k = "attention.self.key";
  n.v = "attention.self.value";
  n.output = "attention.output.dense";
  n.attention_norm = "attention.output.LayerNorm";
  n.up = "intermediate.dense";
  n.down = "output.dense";
  n.ffn_norm = "output.LayerNorm";
  n.ignored = {"pooler.dense",
               "embeddings.position_ids",
               "cls.predictions",
               "cls.predictions.decoder",
               "cls.predictions.transform.dense",
               "cls.predictions.transform.LayerNorm",
               "cls.seq_relationship"};
  return n;
}

EncoderNames RobertaNames() {
  EncoderNames n = BertNames();
  n.prefix = "roberta.";
  n.ignored = {"pooler.dense",  "embeddings.position_ids", "lm_head",
               "lm_head.dense", "lm_head.layer_norm",      "lm_head.decoder"};
  return n;
}

EncoderNames DistilBertNames() {
  EncoderNames n = BertNames();
  n.prefix = "distilbert.";
  n.token_types = "";
  n.layer = "transformer.layer.{}.";
  n.q = "attention.q_lin";
  n.k = "attention.k_lin";
  n.v = "attention.v_lin";
  n.output = "attention.out_lin";
  n.attention_norm = "sa_layer_norm";
  n.up = "ffn.lin1";
  n.down = "ffn.lin2";
  n.ffn_norm = "output_layer_norm";
  n.ignored = {"vocab_transform", "vocab_layer_norm", "vocab_projector"};
  return n;
}

Result<std::unique_ptr<StoredModel>> OpenBert(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "bert." : "");
  EncoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in, "bert");
  if (!files.gguf) spec.names = BertNames();
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeEncoder(std::move(spec), std::move(files));
}

Result<std::unique_ptr<StoredModel>> OpenRoberta(ModelFiles files) {
  Settings in(*files.settings);
  EncoderSpec spec = FromConfig(in, in.TextOr("model_type", "roberta"));
  spec.names = RobertaNames();
  // Rows 0 … padding are never a text's: counting starts behind the padding token's id.
  spec.position_offset = in.IntegerOr("pad_token_id", 1, 0, kMostPositions) + 1;
  if (spec.position_offset >= spec.position_rows) {
    in.Fail(fmt::format("max_position_embeddings is {}; more than pad_token_id + 1 = {} expected",
                        spec.position_rows, spec.position_offset));
  }
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeEncoder(std::move(spec), std::move(files));
}

Result<std::unique_ptr<StoredModel>> OpenDistilBert(ModelFiles files) {
  Settings in(*files.settings);
  EncoderSpec spec = ReadSizes(in, kDistilKeys, "distilbert");
  spec.vocabulary = in.Integer("vocab_size", 1, kMostVocabulary);
  spec.norm_epsilon = 1e-12f;  // not in its config
  spec.activation = ReadActivation(in, "activation", "gelu");
  spec.names = DistilBertNames();
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeEncoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
