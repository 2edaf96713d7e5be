// SPDX-License-Identifier: Apache-2.0
#include "models/adapter_targets.h"

#include <charconv>
#include <string>

namespace tenon::models {
namespace {

constexpr std::string_view kLayers = "model.layers.";
constexpr std::string_view kHead = "lm_head";

// A layer's module, the tensor that holds it alone, and the one that holds it among others.
struct Part {
  std::string_view module;
  std::string_view DecoderNames::*alone;
  std::string_view DecoderNames::*fused;  // null: there is no such tensor
};
constexpr Part kParts[] = {
    {"self_attn.q_proj", &DecoderNames::q, &DecoderNames::qkv},
    {"self_attn.k_proj", &DecoderNames::k, &DecoderNames::qkv},
    {"self_attn.v_proj", &DecoderNames::v, &DecoderNames::qkv},
    {"self_attn.o_proj", &DecoderNames::output, nullptr},
    {"mlp.gate_proj", &DecoderNames::gate, &DecoderNames::gate_up},
    {"mlp.up_proj", &DecoderNames::up, &DecoderNames::gate_up},
    {"mlp.down_proj", &DecoderNames::down, nullptr},
    {"self_attn.qkv_proj", &DecoderNames::qkv, nullptr},
    {"mlp.gate_up_proj", &DecoderNames::gate_up, nullptr},
};

// Splits "model.layers.3.self_attn.q_proj"; false where it is none of a layer of the model.
bool SplitModule(std::string_view module, size_t layers, size_t* layer, std::string_view* rest) {
  if (!module.starts_with(kLayers)) return false;
  module.remove_prefix(kLayers.size());
  const char* const end = module.data() + module.size();
  const auto [stop, problem] = std::from_chars(module.data(), end, *layer);
  if (problem != std::errc() || stop == end || *stop != '.' || *layer >= layers) return false;
  *rest = module.substr(static_cast<size_t>(stop - module.data()) + 1);
  return true;
}

std::string TensorName(const DecoderNames& names, size_t layer, std::string_view part) {
  std::string prefix(names.layer);
  if (const size_t at = prefix.find("{}"); at != std::string::npos) {
    prefix.replace(at, 2, std::to_string(layer));
  }
  return prefix.append(part).append(".weight");
}

std::optional<AdapterTarget> WholeTensor(const ModelFiles& files, const std::string& name) {
  const StoredTensor* stored = files.tensors->FindTensor(name);
  if (stored == nullptr) return std::nullopt;
  AdapterTarget target;
  target.weight = name;
  target.rows = target.stored_rows = stored->tensor.rows;
  target.columns = stored->tensor.columns;
  return target;
}

// Cuts a fused matrix down to one of its parts.
std::optional<AdapterTarget> SliceOf(AdapterTarget fused, int64_t first_row, int64_t rows) {
  if (first_row + rows > fused.stored_rows) return std::nullopt;
  fused.first_row = first_row;
  fused.rows = rows;
  return fused;
}

std::optional<AdapterTarget> PartOfFused(const DecoderSpec& spec, AdapterTarget fused,
                                         std::string_view module) {
  const int64_t q = int64_t{spec.heads} * spec.head_dim;
  const int64_t kv = int64_t{spec.kv_heads} * spec.head_dim;
  if (module == "self_attn.q_proj") return SliceOf(fused, 0, q);
  if (module == "self_attn.k_proj") return SliceOf(fused, q, kv);
  if (module == "self_attn.v_proj") return SliceOf(fused, q + kv, kv);
  const int64_t half = fused.stored_rows / 2;
  return SliceOf(fused, module == "mlp.gate_proj" ? 0 : half, half);
}

// The converter to GGUF reorders the rows of q and k of what it calls llama, and of no other
// architecture, so that pairs of RoPE become neighbours.
bool Reordered(const DecoderSpec& spec, const ModelFiles& files, std::string_view module) {
  return files.gguf && spec.architecture == "llama" && spec.pairs == RopePairs::kNeighbours &&
         (module == "self_attn.q_proj" || module == "self_attn.k_proj");
}

}  // namespace

std::optional<AdapterTarget> FindDecoderTarget(const DecoderSpec& spec, const ModelFiles& files,
                                               std::string_view module) {
  if (module == kHead) return WholeTensor(files, std::string(spec.names.head));
  size_t layer = 0;
  std::string_view rest;
  if (!SplitModule(module, spec.layers.size(), &layer, &rest)) return std::nullopt;
  for (const Part& part : kParts) {
    if (rest != part.module) continue;
    const bool fused = part.fused != nullptr && !(spec.names.*part.fused).empty();
    const std::string_view tensor = spec.names.*(fused ? part.fused : part.alone);
    if (tensor.empty()) return std::nullopt;
    std::optional<AdapterTarget> target = WholeTensor(files, TensorName(spec.names, layer, tensor));
    if (target && fused) target = PartOfFused(spec, *target, rest);
    if (target && Reordered(spec, files, rest)) target->head_rows = spec.head_dim;
    return target;
  }
  return std::nullopt;
}

}  // namespace tenon::models
