// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/rope_spec.h"

#include <cmath>
#include <cstring>
#include <string>

namespace tenon::attention {
namespace {

constexpr float kMostInverseFrequency = 1024.0f;  // see RopeFunctions::angles

Status Invalid(Host& host, const OpSpec& spec, const std::string& what) {
  return host.Fail(Status::kInvalid, Str(std::string(std::string_view(spec.name)) + ": " + what));
}

Status CheckRope(Host& host, const OpSpec& spec, const RopeAttentionParams& p) {
  const RopeParams& rope = p.rope;
  if (rope.head_dim != p.attention.head_dim ||
      int64_t{rope.heads} != int64_t{p.attention.heads} + p.attention.kv_heads) {
    return Invalid(host, spec,
                   "rotates " + std::to_string(rope.heads) + " heads of " +
                       std::to_string(rope.head_dim) + "; those of q and k are " +
                       std::to_string(int64_t{p.attention.heads} + p.attention.kv_heads) + " of " +
                       std::to_string(p.attention.head_dim));
  }
  if (rope.rotary_dim < 2 || rope.rotary_dim % 2 != 0 || rope.rotary_dim > rope.head_dim) {
    return Invalid(host, spec,
                   "rotary_dim is " + std::to_string(rope.rotary_dim) + "; even, 2 to head_dim (" +
                       std::to_string(rope.head_dim) + ") allowed");
  }
  if (rope.pairs != RopePairs::kHalves && rope.pairs != RopePairs::kNeighbours) {
    return Invalid(host, spec, "pairs has no known value; halves and neighbours allowed");
  }
  if (!std::isfinite(rope.magnitude)) {
    return Invalid(host, spec, "magnitude is not a finite number");
  }
  return Status::kOk;
}

}  // namespace

Status ReadRope(Host& host, const OpSpec& spec, RopeSpec* out) {
  if (spec.params == nullptr || spec.params_bytes != sizeof(RopeAttentionParams)) {
    return Invalid(host, spec,
                   "its parameters are " + std::to_string(spec.params_bytes) +
                       " bytes; RopeAttentionParams is " +
                       std::to_string(sizeof(RopeAttentionParams)));
  }
  const RopeAttentionParams& p = ParamsOf<RopeAttentionParams>(spec);
  if (Status s = CheckRope(host, spec, p); s != Status::kOk) return s;
  const int64_t pairs = p.rope.rotary_dim / 2;
  if (spec.weights.size == 0 || spec.weights[0].tensor.dtype != DType::kF32 ||
      spec.weights[0].tensor.rows != 1 || spec.weights[0].tensor.columns != pairs ||
      spec.weights[0].tensor.data == nullptr) {
    return Invalid(
        host, spec,
        "its first weight must be the inverse frequencies, f32 [1, " + std::to_string(pairs) + "]");
  }
  out->params = p.rope;
  out->inverse_frequency.resize(static_cast<size_t>(pairs));
  std::memcpy(out->inverse_frequency.data(), spec.weights[0].tensor.data,
              sizeof(float) * out->inverse_frequency.size());
  for (const float value : out->inverse_frequency) {
    if (std::abs(value) <= kMostInverseFrequency) continue;
    return Invalid(host, spec,
                   "an inverse frequency is " + std::to_string(value) + "; -1024 to 1024 allowed");
  }
  return Status::kOk;
}

OpSpec AttentionAlone(const OpSpec& spec) {
  OpSpec alone = spec;
  alone.kind = kAttention;
  alone.weights = {spec.weights.data + 1, spec.weights.size - 1};
  alone.params = &ParamsOf<RopeAttentionParams>(spec).attention;
  alone.params_bytes = sizeof(AttentionParams);
  return alone;
}

}  // namespace tenon::attention
