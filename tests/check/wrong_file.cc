// SPDX-License-Identifier: Apache-2.0
// A plugin whose file, or whose description, is wrong in the way that WRONG_... says.
#include "tenon/decoding.h"
#include "tenon/plugin.h"

namespace tenon::core {
void HostFunction();  // of the host: a plugin may not ask for it
}

namespace {

using namespace tenon;

class Quiet final : public Component, public LogitProcessor {
 public:
  explicit Quiet(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint&, Span<float>) noexcept override {
#ifdef WRONG_UNDEFINED
    core::HostFunction();
#endif
  }
};

#ifdef WRONG_DEFAULT
constexpr const char* kDefault = "9";
#else
constexpr const char* kDefault = "2";
#endif

constexpr OptionInfo kOptions[] = {{"size", OptionType::kInt, kDefault, "How many.", 1, 4}};

#ifdef WRONG_DESCRIPTION
constexpr const char* kName = "quiet";  // a third party's name needs a prefix
#else
constexpr const char* kName = "acme.quiet";
#endif

constexpr ComponentInfo kQuiet =
    Describe<Quiet>(Family::kDecoding, kName, "Does nothing to logits.", 0,
                    Claim(Capability::kDeviceCpu), kOptions);

}  // namespace

#ifdef WRONG_EXPORTS
extern "C" __attribute__((visibility("default"))) int acme_also_exported() { return 1; }
#endif

#ifdef WRONG_UNIQUE
template <typename T>
struct Shared {
  __attribute__((visibility("default"))) static inline int state = 0;
};
extern "C" __attribute__((visibility("hidden"))) int* acme_state() { return &Shared<int>::state; }
#endif

TENON_PLUGIN("acme.decoding.wrong_file", "1.0.0", "MIT", &kQuiet);
