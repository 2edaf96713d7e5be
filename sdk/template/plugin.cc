// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "tenon/decoding.h"
#include "top_a.h"

namespace {

using tenon::Capability;

constexpr tenon::OptionInfo kOptions[] = {
    {"a", tenon::OptionType::kFloat, "0.2",
     "Tokens less likely than a times the square of the highest probability are ruled out.", 0, 1},
};

class TopA final : public tenon::Component, public tenon::LogitProcessor {
 public:
  explicit TopA(const tenon::CreateArgs& args) : a_(static_cast<float>(args.options.Float("a"))) {}

  void* Query(const char* name) noexcept override {
    return tenon::Offer<tenon::LogitProcessor>(this, name);
  }

  void Apply(const tenon::DecodePoint&, tenon::Span<float> logits) noexcept override {
    acme::KeepTopA(logits, a_);
  }

 private:
  const float a_;
};

constexpr tenon::ComponentInfo kTopA =
    tenon::Describe<TopA>(tenon::Family::kDecoding, "acme.top_a",
                          "Rules out tokens by the square of the best one's probability.", 0,
                          tenon::Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace

TENON_PLUGIN("acme.decoding.top_a", "1.0.0", "Apache-2.0", &kTopA);
