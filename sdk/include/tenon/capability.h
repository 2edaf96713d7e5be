// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/dtype.h"

namespace tenon {

// Must-understand bits. What the model and the pipeline need of a component is computed; a
// component that does not claim a needed bit is refused before anything runs, because ignoring it
// silently would give wrong numbers. Values are part of the ABI: append only.
enum class Capability : uint32_t {
  // Where the component can work.
  kDeviceCpu = 0,
  kDeviceCuda = 1,
  // Attention: what the formula may contain.
  kSlidingWindow = 8,   // AttentionParams::window
  kSoftCap = 9,         // AttentionParams::soft_cap
  kSinks = 10,          // one logit a head that takes part in the softmax only
  kTreeMask = 11,       // Batch::tree_mask
  kLatentKv = 12,       // kLatentAttention: K and V are read out of one latent row (MLA)
  kBidirectional = 13,  // kBidirectionalAttention: encoders
  kKvF32 = 16,
  kKvF16 = 17,
  kKvBF16 = 18,
  kKvI8 = 19,
  kSharedPages = 20,  // pages of one sequence may be referenced by another (prefix cache, n > 1)
  // Quant: stored types of a linear's weights; kWeight + DType.
  kWeight = 32,  // to 63
  kGroupedLinear = 64,
  kLinearBias = 65,
  kWeightScales = 66,  // Weight::scales
  kAdapter = 67,       // the component is an Adapter (LoRA), not a Quant
};

struct Capabilities {
  uint64_t words[2] = {0, 0};

  constexpr bool Has(Capability bit) const {
    const uint32_t i = static_cast<uint32_t>(bit);
    return (words[i / 64] >> (i % 64) & 1) != 0;
  }
  constexpr Capabilities With(Capability bit) const {
    Capabilities out = *this;
    const uint32_t i = static_cast<uint32_t>(bit);
    out.words[i / 64] |= uint64_t{1} << (i % 64);
    return out;
  }
  constexpr Capabilities Union(Capabilities other) const {
    return {{words[0] | other.words[0], words[1] | other.words[1]}};
  }
  // The bits of this set that `other` lacks.
  constexpr Capabilities Missing(Capabilities other) const {
    return {{words[0] & ~other.words[0], words[1] & ~other.words[1]}};
  }
  constexpr bool empty() const { return (words[0] | words[1]) == 0; }
};

constexpr Capability WeightCapability(DType dtype) {
  return static_cast<Capability>(static_cast<uint32_t>(Capability::kWeight) +
                                 static_cast<uint32_t>(dtype));
}

template <typename... Bits>
constexpr Capabilities Claim(Bits... bits) {
  Capabilities out;
  ((out = out.With(bits)), ...);
  return out;
}

template <typename... Types>
constexpr Capabilities ClaimWeights(Types... dtypes) {
  return Claim(WeightCapability(dtypes)...);
}

// "sliding window", "q4_1 weights", …; null where no bit of that number is known.
constexpr const char* Describe(Capability bit) {
  switch (bit) {
    case Capability::kDeviceCpu:
      return "device cpu";
    case Capability::kDeviceCuda:
      return "device cuda";
    case Capability::kSlidingWindow:
      return "sliding window";
    case Capability::kSoftCap:
      return "attention soft cap";
    case Capability::kSinks:
      return "attention sinks";
    case Capability::kTreeMask:
      return "tree mask";
    case Capability::kLatentKv:
      return "latent KV (MLA)";
    case Capability::kBidirectional:
      return "bidirectional attention";
    case Capability::kKvF32:
      return "f32 KV";
    case Capability::kKvF16:
      return "f16 KV";
    case Capability::kKvBF16:
      return "bf16 KV";
    case Capability::kKvI8:
      return "int8 KV";
    case Capability::kSharedPages:
      return "shared KV pages";
    case Capability::kGroupedLinear:
      return "grouped linear (experts)";
    case Capability::kLinearBias:
      return "linear with bias";
    case Capability::kWeightScales:
      return "weights with scales";
    case Capability::kAdapter:
      return "LoRA adapters";
    default:
      break;
  }
  const uint32_t i = static_cast<uint32_t>(bit) - static_cast<uint32_t>(Capability::kWeight);
  return i < kDTypeCount ? kDTypeLayouts[i].name : nullptr;
}

}  // namespace tenon
