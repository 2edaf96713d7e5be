// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/exact_gemm.h"

#include "kernels/cpu/exact_gemm_levels.h"

namespace tenon::cpu {
namespace {

// Four lanes of the baseline; the compiler maps them to whatever the machine has.
struct Generic {
  struct Type {
    float lane[4];
  };
  static constexpr Isa kIsa = Isa::kGeneric;
  static constexpr int kLanes = 4;
  static constexpr int kTokens = 2;
  static Type Zero() { return {}; }
  static Type Load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static Type LoadPart(const float* p, int64_t n) {
    Type v{};
    for (int64_t i = 0; i < n; ++i) v.lane[i] = p[i];
    return v;
  }
  static Type Fma(const Type& a, const Type& b, const Type& c) {
    Type v;
    for (int i = 0; i < kLanes; ++i) v.lane[i] = a.lane[i] * b.lane[i] + c.lane[i];
    return v;
  }
  static void Sum4(const Type* v, float* sums) {
    for (int i = 0; i < 4; ++i) {
      sums[i] = (v[i].lane[0] + v[i].lane[1]) + (v[i].lane[2] + v[i].lane[3]);
    }
  }
};

}  // namespace

void ExactGemmGeneric(const ExactGemm& gemm) { ExactGemmLevel<Generic>(gemm); }

void RunExactGemm(Isa isa, const ExactGemm& gemm) {
  switch (isa) {
    case Isa::kAvx512:
      return ExactGemmAvx512(gemm);
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return ExactGemmAvx2(gemm);
    case Isa::kGeneric:
      return ExactGemmGeneric(gemm);
  }
}

}  // namespace tenon::cpu
