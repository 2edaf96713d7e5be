// SPDX-License-Identifier: Apache-2.0
// Components that are made or described wrongly, one fault each.
#include <cstdlib>
#include <stdexcept>

#include "tenon/decoding.h"
#include "tenon/plugin.h"

namespace {

using namespace tenon;

void* volatile leaked;

class Quiet : public Component, public LogitProcessor {
 public:
  explicit Quiet(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint&, Span<float>) noexcept override {}
};

class Still final : public Quiet {
 public:
  explicit Still(const CreateArgs& args) : Quiet(args) {}
};

class Leaks final : public Quiet {
 public:
  explicit Leaks(const CreateArgs& args) : Quiet(args) { leaked = std::malloc(1000); }
};

class AnswersAnything final : public Component, public LogitProcessor {
 public:
  explicit AnswersAnything(const CreateArgs&) {}
  void* Query(const char*) noexcept override { return static_cast<LogitProcessor*>(this); }
  void Apply(const DecodePoint&, Span<float>) noexcept override {}
};

class OffersNothing final : public Component {
 public:
  explicit OffersNothing(const CreateArgs&) {}
  void* Query(const char*) noexcept override { return nullptr; }
};

class PicksOptions final : public Component, public LogitProcessor {
 public:
  explicit PicksOptions(const CreateArgs& args) {
    if (args.options.Int("size") == 4) __builtin_trap();
  }
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint&, Span<float>) noexcept override {}
};

Status ThrowAcross(const CreateArgs*, Component**) noexcept(false) {
  throw std::runtime_error("across the boundary");
}
Status RefuseSilently(const CreateArgs*, Component**) noexcept { return Status::kInvalid; }

constexpr OptionInfo kSize[] = {{"size", OptionType::kInt, "2", "How many.", 1, 4}};
constexpr OptionInfo kNoDoc[] = {{"size", OptionType::kInt, "2", "", 1, 4}};

template <typename T>
constexpr ComponentInfo Described(const char* name) {
  return Describe<T>(Family::kDecoding, name, "Does nothing to logits.", 0,
                     Claim(Capability::kDeviceCpu, Capability::kDeviceCuda));
}

template <typename T>
constexpr ComponentInfo With(const char* name, const OptionInfo (&options)[1]) {
  return Describe<T>(Family::kDecoding, name, "Does nothing to logits.", 0,
                     Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), options);
}

// Called through a pointer that promises not to throw.
ComponentInfo Created(const char* name, Status (*create)(const CreateArgs*, Component**)) {
  ComponentInfo info = Described<Still>(name);
  info.create = reinterpret_cast<decltype(info.create)>(create);
  return info;
}

constexpr ComponentInfo kLeaks = Described<Leaks>("acme.leaks");
constexpr ComponentInfo kAnything = Described<AnswersAnything>("acme.answers_anything");
constexpr ComponentInfo kNothing = Described<OffersNothing>("acme.offers_nothing");
constexpr ComponentInfo kPicks = With<PicksOptions>("acme.crashes_on_an_option", kSize);
constexpr ComponentInfo kUndocumented = With<Still>("acme.undocumented_option", kNoDoc);
const ComponentInfo kThrows = Created("acme.throws_across", ThrowAcross);
const ComponentInfo kSilent = Created("acme.refuses_silently", RefuseSilently);

}  // namespace

extern "C" __attribute__((visibility("default"))) const PluginInfo* tenon_plugin_v1() {
  static const ComponentInfo* const components[] = {&kLeaks,        &kAnything, &kNothing, &kPicks,
                                                    &kUndocumented, &kThrows,   &kSilent};
  static const PluginInfo info = {sizeof(PluginInfo),
                                  kAbiVersion,
                                  kToolchainStamp,
                                  "acme.decoding.wrong_component",
                                  "1.0.0",
                                  "MIT",
                                  components,
                                  7};
  return &info;
}
