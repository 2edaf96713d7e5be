// SPDX-License-Identifier: Apache-2.0
// Components that claim hardly anything: what a model needs beyond it must be refused before they
// are made, so that making one is an error of its own. Nothing here is installed.
#include <stdexcept>

#include "tenon/plugin.h"

namespace tenon::testing {
namespace {

class Bare final : public Component {
 public:
  explicit Bare(const CreateArgs&) { throw std::runtime_error("it was made"); }
  void* Query(const char*) noexcept override { return nullptr; }
};

constexpr ComponentInfo kAttention = Describe<Bare>(
    Family::kAttention, "test.bare_attention", "Claims the CPU.", 0, Claim(Capability::kDeviceCpu));
constexpr ComponentInfo kQuant =
    Describe<Bare>(Family::kQuant, "test.bare_quant", "Claims the CPU and f32.", 0,
                   Claim(Capability::kDeviceCpu).Union(ClaimWeights(DType::kF32)));

}  // namespace
}  // namespace tenon::testing

TENON_PLUGIN("test.bare", "0.1.0", "Apache-2.0", &tenon::testing::kAttention,
             &tenon::testing::kQuant);
