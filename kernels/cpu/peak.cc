// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/peak.h"

#include "kernels/cpu/peak_levels.h"

namespace tenon::cpu {
namespace {

constexpr int kLanes = 4;

int32_t RunF32(int64_t rounds) {
  float sums[kPeakChains][kLanes] = {};
  const float x = 1.0f + static_cast<float>(rounds & 1);
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& chain : sums) {
      for (float& sum : chain) sum = sum * 0.5f + x;
    }
  }
  float all = 0;
  for (const auto& chain : sums) {
    for (const float sum : chain) all += sum;
  }
  return static_cast<int32_t>(all);
}

constexpr PeakLoop kLoops[] = {{"f32", 2 * kPeakChains* kLanes, RunF32}};

}  // namespace

PeakLoops PeakLoopsGeneric() { return {kLoops, 1}; }

uint64_t ReadAllGeneric(const void* memory, int64_t bytes) {
  const uint64_t* words = static_cast<const uint64_t*>(memory);
  uint64_t sums[8] = {};
  for (int64_t i = 0; i < bytes / 8; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] += words[i + j];
  }
  uint64_t all = 0;
  for (const uint64_t sum : sums) all += sum;
  return all;
}

PeakLoops PeakLoopsOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return PeakLoopsAvx512();
    case Isa::kAvx2Vnni:
      return PeakLoopsAvx2Vnni();
    case Isa::kAvx2:
      return PeakLoopsAvx2();
    case Isa::kGeneric:
      break;
  }
  return PeakLoopsGeneric();
}

uint64_t ReadAll(Isa isa, const void* memory, int64_t bytes) {
  switch (isa) {
    case Isa::kAvx512:
      return ReadAllAvx512(memory, bytes);
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return ReadAllAvx2(memory, bytes);
    case Isa::kGeneric:
      break;
  }
  return ReadAllGeneric(memory, bytes);
}

}  // namespace tenon::cpu
