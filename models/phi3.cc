// SPDX-License-Identifier: Apache-2.0
// Phi-3 and Phi-4: q, k and v are one matrix in the file, and so are gate and up; RoPE may turn
// only the first columns of a head. Abdin et al. 2024, "Phi-3 Technical Report".
#include <string>
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr float kDefaultEpsilon = 1e-5f;

// Frequencies that change with the length of the text do not fit one table.
void RefuseLongRope(const ModelFiles& files, Settings& in) {
  for (const char* name : {"rope_factors_short.weight", "rope_factors_long.weight"}) {
    if (files.tensors->FindTensor(name) == nullptr) continue;
    in.Fail(std::string(name) +
            " asks for LongRoPE, which is not known; take a model with default "
            "RoPE, such as the 4k variant");
    return;
  }
}

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "phi3");
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  spec.names.qkv = "attn_qkv";
  spec.names.gate_up = "ffn_up";
  SetWindow(spec, in.IntegerOr("attention.sliding_window", 0, 0, kMostWindow));
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "phi3");
  if (!in.Has("rms_norm_eps")) spec.norm_epsilon = kDefaultEpsilon;
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, 10000));
  spec.names.qkv = "self_attn.qkv_proj";
  spec.names.gate_up = "mlp.gate_up_proj";
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  SetWindow(spec, in.IntegerOr("sliding_window", 0, 0, kMostWindow));
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenPhi3(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "phi3." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  if (files.gguf) RefuseLongRope(files, in);
  TENON_RETURN_IF_ERROR(in.Check());
  spec.pairs = RopePairs::kHalves;
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
