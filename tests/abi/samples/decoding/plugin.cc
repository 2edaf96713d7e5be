// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "sample.h"
#include "tenon/decoding.h"

namespace {

using tenon::Capability;

constexpr tenon::OptionInfo kOptions[] = {
    {"a", tenon::OptionType::kFloat, "0.2",
     "Tokens less likely than a times the square of the highest probability are ruled out.", 0, 1},
};

class Sample final : public tenon::Component, public tenon::LogitProcessor {
 public:
  explicit Sample(const tenon::CreateArgs& args)
      : a_(static_cast<float>(args.options.Float("a"))) {}

  void* Query(const char* name) noexcept override {
    return tenon::Offer<tenon::LogitProcessor>(this, name);
  }

  void Apply(const tenon::DecodePoint&, tenon::Span<float> logits) noexcept override {
    first::KeepLikely(logits, a_);
  }

 private:
  const float a_;
};

constexpr tenon::ComponentInfo kComponent = tenon::Describe<Sample>(
    tenon::Family::kDecoding, "first.sample",
    "Rules out tokens by the square of the best one's probability.", 0,
    tenon::Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace

TENON_PLUGIN("first.decoding.sample", "1.0.0", "Apache-2.0", &kComponent);
