// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/pipeline/pipeline.h"
#include "core/plugins/fake_plugin_test.h"

// A small set of described components, one or more a family, that pipelines of tests choose from.
namespace tenon::core {

inline const PluginInfo* FakeSet() {
  using enum OptionType;
  static const PluginInfo* info = [] {
    const OptionInfo page{"page_tokens", kInt, "16", "Slots a page.", 1, 256, "", "tokens"};
    const OptionInfo tile{"tile", kInt, "64", "Keys a tile.", 16, 256};
    const OptionInfo type{"kv_type", kString, "f16",         "How K and V are stored.",
                          0,         0,       "f32|f16|bf16"};
    const OptionInfo threads{"threads", kInt, "0", "0: one a core.", 0, 1024};
    const OptionInfo batch{"max_batch_tokens", kInt, "512", "Tokens a step.", 1, 65536};
    const OptionInfo temperature{"temperature", kFloat, "1", "0: greedy.", 0, 5};
    const OptionInfo fast{"fast", kBool, "true", "Whether."};
    const OptionInfo label{"label", kString, "", "Any text."};
    const Capabilities cpu = Claim(Capability::kDeviceCpu);
    const Capabilities window = cpu.With(Capability::kSlidingWindow);
    return FakePlugin("tenon.fake",
                      {FakeComponent(Family::kDevice, "cpu", 10, {threads}, cpu),
                       FakeComponent(Family::kAttention, "paged", 30, {page, type}, window),
                       FakeComponent(Family::kAttention, "flash", 20, {tile, type}, cpu),
                       FakeComponent(Family::kAttention, "reference", 0, {type}, window),
                       FakeComponent(Family::kQuant, "native", 10, {fast, label}, cpu),
                       FakeComponent(Family::kScheduler, "chunked", 10, {batch}),
                       FakeComponent(Family::kParallel, "none", 10),
                       FakeComponent(Family::kDecoding, "penalties", 20),
                       FakeComponent(Family::kDecoding, "sampler", 10, {temperature}),
                       FakeComponent(Family::kDecoding, "acme.top_p", 0)});
  }();
  return info;
}

inline Result<Pipeline> LoadFake(const std::string& yaml,
                                 const std::vector<std::string>& overrides = {}) {
  static Registry& registry = *[] {
    auto* made = new Registry;
    made->AddBuiltIn(FakeEntry(FakeSet()));
    return made;
  }();
  return LoadPipelineText(yaml, "p.yaml", "", overrides, registry);
}

// What the user reads, or "loaded".
inline std::string ErrorOf(const std::string& yaml,
                           const std::vector<std::string>& overrides = {}) {
  const auto pipeline = LoadFake(yaml, overrides);
  return pipeline.ok() ? "loaded" : pipeline.error().message;
}

}  // namespace tenon::core
