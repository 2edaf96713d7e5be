// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_spec.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"
#include "models/settings.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr int32_t kMostLayers = 1024;
constexpr int32_t kMostHidden = 1 << 20;
constexpr int32_t kMostHeads = 1 << 14;
constexpr int32_t kMostHeadDim = 1 << 12;
constexpr int32_t kMostFfn = 1 << 24;
constexpr int32_t kMostVocabulary = 1 << 24;
constexpr int32_t kMostContext = 1 << 30;
constexpr int64_t kMostHeadColumns = 1 << 24;
constexpr double kLeastEpsilon = 1e-20;

// What each size is called, in GGUF and in a Hugging Face config.
struct SizeKeys {
  const char *hidden, *layers, *heads, *kv_heads, *head_dim, *ffn, *context, *epsilon, *vocabulary;
};
constexpr SizeKeys kGgufKeys = {"embedding_length",
                                "block_count",
                                "attention.head_count",
                                "attention.head_count_kv",
                                "attention.key_length",
                                "feed_forward_length",
                                "context_length",
                                "attention.layer_norm_rms_epsilon",
                                "vocab_size"};
constexpr SizeKeys kConfigKeys = {
    "hidden_size", "num_hidden_layers", "num_attention_heads",     "num_key_value_heads",
    "head_dim",    "intermediate_size", "max_position_embeddings", "rms_norm_eps",
    "vocab_size"};

void CheckHeads(Settings& in, const DecoderSpec& spec) {
  if (spec.heads % spec.kv_heads != 0) {
    in.Fail(
        fmt::format("{} heads share {} KV heads; a multiple expected", spec.heads, spec.kv_heads));
  }
  if (spec.head_dim % 2 != 0) {
    in.Fail(fmt::format("heads have {} columns; an even number expected", spec.head_dim));
  }
  if (int64_t{spec.heads} * spec.head_dim > kMostHeadColumns) {
    in.Fail(fmt::format("{} heads of {} columns are {} columns; at most {} allowed", spec.heads,
                        spec.head_dim, int64_t{spec.heads} * spec.head_dim, kMostHeadColumns));
  }
}

void ReadHeads(Settings& in, const SizeKeys& keys, DecoderSpec& spec) {
  spec.kv_heads = in.IntegerOr(keys.kv_heads, spec.heads, 1, kMostHeads);
  if (!in.Has(keys.head_dim) && spec.hidden % spec.heads != 0) {
    in.Fail(fmt::format("{} is missing and {} columns cannot be shared by {} heads", keys.head_dim,
                        spec.hidden, spec.heads));
  }
  const int32_t share = spec.hidden >= spec.heads ? spec.hidden / spec.heads : 1;
  spec.head_dim = in.IntegerOr(keys.head_dim, share, 1, kMostHeadDim);
  spec.attention_scale = 1 / std::sqrt(static_cast<float>(spec.head_dim));
  CheckHeads(in, spec);
}

DecoderSpec ReadSizes(Settings& in, const SizeKeys& keys, std::string_view architecture,
                      LayerKind kind) {
  DecoderSpec spec;
  spec.architecture = architecture;
  spec.hidden = in.Integer(keys.hidden, 1, kMostHidden);
  spec.layers.resize(static_cast<size_t>(in.Integer(keys.layers, 1, kMostLayers)));
  spec.heads = in.Integer(keys.heads, 1, kMostHeads);
  spec.max_context = in.Integer(keys.context, 1, kMostContext);
  spec.norm_epsilon = static_cast<float>(in.RealOr(keys.epsilon, 1e-6, kLeastEpsilon, 1));
  spec.vocabulary = in.IntegerOr(keys.vocabulary, 0, 1, kMostVocabulary);
  spec.ffn = kind == LayerKind::kDense ? in.Integer(keys.ffn, 1, kMostFfn)
                                       : in.IntegerOr(keys.ffn, 0, 1, kMostFfn);
  if (kind != LayerKind::kLatentExperts) ReadHeads(in, keys, spec);
  return spec;
}

}  // namespace

DecoderNames GgufNames() {
  DecoderNames n;
  n.embedding = "token_embd.weight";
  n.final_norm = "output_norm.weight";
  n.head = "output.weight";
  n.rope_factors = "rope_freqs.weight";
  n.layer = "blk.{}.";
  n.attention_norm = "attn_norm";
  n.q = "attn_q";
  n.k = "attn_k";
  n.v = "attn_v";
  n.q_norm = "attn_q_norm";
  n.k_norm = "attn_k_norm";
  n.output = "attn_output";
  n.post_attention_norm = "post_attention_norm";
  n.ffn_norm = "ffn_norm";
  n.gate = "ffn_gate";
  n.up = "ffn_up";
  n.down = "ffn_down";
  n.post_ffn_norm = "post_ffw_norm";
  return n;
}

DecoderNames HuggingFaceNames() {
  DecoderNames n;
  n.embedding = "model.embed_tokens.weight";
  n.final_norm = "model.norm.weight";
  n.head = "lm_head.weight";
  n.layer = "model.layers.{}.";
  n.attention_norm = "input_layernorm";
  n.q = "self_attn.q_proj";
  n.k = "self_attn.k_proj";
  n.v = "self_attn.v_proj";
  n.q_norm = "self_attn.q_norm";
  n.k_norm = "self_attn.k_norm";
  n.output = "self_attn.o_proj";
  n.ffn_norm = "post_attention_layernorm";
  n.gate = "mlp.gate_proj";
  n.up = "mlp.up_proj";
  n.down = "mlp.down_proj";
  return n;
}

bool GgufHasExperts(Settings& in) { return in.IntegerOr("expert_count", 0, 0, 1 << 16) > 0; }

void CheckExpertLayers(Settings& in, const DecoderSpec& spec) {
  CheckExperts(in, spec.experts, spec.hidden);
  const auto dense = [](const DecoderLayer& layer) { return !layer.experts; };
  if (spec.ffn == 0 && std::any_of(spec.layers.begin(), spec.layers.end(), dense)) {
    in.Fail("the feed-forward columns of layers without experts are missing");
  }
}

DecoderSpec ReadGgufDecoder(Settings& in, std::string_view architecture, LayerKind kind) {
  DecoderSpec spec = ReadSizes(in, kGgufKeys, architecture, kind);
  spec.norm_epsilon = static_cast<float>(in.Real(kGgufKeys.epsilon, kLeastEpsilon, 1));
  const bool latent = kind == LayerKind::kLatentExperts;
  const int32_t value_dim =
      latent ? 0 : in.IntegerOr("attention.value_length", spec.head_dim, 1, kMostHeadDim);
  if (!latent && value_dim != spec.head_dim) {
    in.Fail(fmt::format("attention.value_length is {}; {} expected, as attention.key_length",
                        value_dim, spec.head_dim));
  }
  if (kind == LayerKind::kDense && GgufHasExperts(in)) {
    in.Fail(fmt::format("expert_count is above 0; models of {} with experts cannot be read",
                        architecture));
  }
  spec.names = GgufNames();
  spec.head = Head::kWhatIsThere;
  return spec;
}

DecoderSpec ReadConfigDecoder(Settings& in, std::string_view architecture, LayerKind kind) {
  DecoderSpec spec = ReadSizes(in, kConfigKeys, architecture, kind);
  if (spec.vocabulary == 0) in.Fail("vocab_size is missing");
  spec.names = HuggingFaceNames();
  spec.qkv_bias = spec.output_bias = in.FlagOr("attention_bias", false);
  return spec;
}

Activation ReadActivation(Settings& in, std::string_view key, std::string_view fallback) {
  const std::string_view name = in.TextOr(key, fallback);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  if (name == "gelu") return Activation::kGelu;
  in.Fail(fmt::format("{} is {}; silu, gelu_pytorch_tanh and gelu are known", key, Quoted(name)));
  return Activation::kSilu;
}

}  // namespace tenon::models
