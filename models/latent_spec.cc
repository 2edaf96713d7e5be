// SPDX-License-Identifier: Apache-2.0
#include "models/latent_spec.h"

#include <algorithm>

#include "fmt/format.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr int32_t kMostRank = 1 << 16;
constexpr int32_t kMostHeadDim = 1 << 12;
constexpr int64_t kMostHeadColumns = 1 << 24;
constexpr float kNormEpsilon = 1e-6f;  // whatever rms_norm_eps says

void Check(Settings& in, const LatentSpec& latent, int32_t heads) {
  if (latent.rope_dim % 2 != 0) {
    in.Fail(
        fmt::format("RoPE turns {} columns of a head; an even number expected", latent.rope_dim));
  }
  const int32_t widest =
      std::max({latent.rank, latent.nope_dim + latent.rope_dim, latent.value_dim});
  if (int64_t{heads} * widest > kMostHeadColumns) {
    in.Fail(fmt::format("{} heads of {} columns are {} columns; at most {} allowed", heads, widest,
                        int64_t{heads} * widest, kMostHeadColumns));
  }
}

}  // namespace

LatentSpec ReadConfigLatent(Settings& in, int32_t heads) {
  LatentSpec out;
  out.rank = in.Integer("kv_lora_rank", 1, kMostRank);
  out.q_rank = in.IntegerOr("q_lora_rank", 0, 1, kMostRank);
  out.nope_dim = in.Integer("qk_nope_head_dim", 1, kMostHeadDim);
  out.rope_dim = in.Integer("qk_rope_head_dim", 2, kMostHeadDim);
  out.value_dim = in.Integer("v_head_dim", 1, kMostHeadDim);
  out.norm_epsilon = kNormEpsilon;
  out.names = {"self_attn.q_proj",
               "self_attn.q_a_proj",
               "self_attn.q_a_layernorm",
               "self_attn.q_b_proj",
               "self_attn.kv_a_proj_with_mqa",
               "self_attn.kv_a_layernorm",
               "self_attn.kv_b_proj",
               "",
               ""};
  Check(in, out, heads);
  return out;
}

LatentSpec ReadGgufLatent(Settings& in, int32_t heads, float norm_epsilon) {
  LatentSpec out;
  const bool absorbed = in.Has("attention.key_length_mla");
  const char* key = absorbed ? "attention.key_length_mla" : "attention.key_length";
  const char* value = absorbed ? "attention.value_length_mla" : "attention.value_length";
  out.rank = in.Integer("attention.kv_lora_rank", 1, kMostRank);
  out.q_rank = in.IntegerOr("attention.q_lora_rank", 0, 0, kMostRank);
  out.rope_dim = in.Integer("rope.dimension_count", 2, kMostHeadDim);
  out.nope_dim = in.Integer(key, out.rope_dim + 1, 2 * kMostHeadDim) - out.rope_dim;
  out.value_dim = in.Integer(value, 1, kMostHeadDim);
  out.norm_epsilon = norm_epsilon;
  out.names = {"attn_q",         "attn_q_a",  "attn_q_a_norm", "attn_q_b", "attn_kv_a_mqa",
               "attn_kv_a_norm", "attn_kv_b", "attn_k_b",      "attn_v_b"};
  Check(in, out, heads);
  return out;
}

}  // namespace tenon::models
