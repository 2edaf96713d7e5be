// SPDX-License-Identifier: Apache-2.0
// Any bytes as a pipeline: an error or a pipeline whose dump loads again, never a crash.
#include <cstdint>
#include <string>

#include "core/pipeline/document.h"
#include "core/pipeline/pipeline.h"
#include "core/plugins/fake_plugin_test.h"

namespace {

using namespace tenon;        // NOLINT: a test
using namespace tenon::core;  // NOLINT: a test

Registry& FakeRegistry() {
  static Registry& registry = *[] {
    const OptionInfo tile{"tile", OptionType::kInt, "64", "Keys.", 16, 256};
    const OptionInfo text{"text", OptionType::kString, "", "Any."};
    const OptionInfo p{"p", OptionType::kFloat, "1", "Mass.", 0, 1};
    auto* made = new Registry;
    made->AddBuiltIn(FakeEntry(
        FakePlugin("tenon.fuzz", {FakeComponent(Family::kDevice, "cpu", 1),
                                  FakeComponent(Family::kAttention, "paged", 1, {tile, text}),
                                  FakeComponent(Family::kAttention, "flash", 0, {tile}),
                                  FakeComponent(Family::kQuant, "native", 1),
                                  FakeComponent(Family::kScheduler, "chunked", 1),
                                  FakeComponent(Family::kParallel, "none", 1),
                                  FakeComponent(Family::kDecoding, "sampler", 1, {p, text})})));
    return made;
  }();
  return registry;
}

// Whether the document names other files, which a fuzzer must not reach.
bool NamesFiles(const std::string& text) {
  Diagnostics diagnostics;
  const Source source{"fuzz.yaml", "", text};
  const auto root = ParseYaml(source, diagnostics);
  return root && (root->Get("plugins") != nullptr || root->Get("extends") != nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (NamesFiles(text)) return 0;
  // What follows a NUL byte is a --set.
  std::vector<std::string> overrides;
  const size_t nul = text.find('\0');
  if (nul != std::string::npos) {
    overrides.push_back(text.substr(nul + 1));
    text.resize(nul);
    if (NamesFiles(text)) return 0;
  }
  const auto pipeline = LoadPipelineText(text, "fuzz.yaml", "", overrides, FakeRegistry());
  if (!pipeline.ok()) {
    if (pipeline.error().message.empty() || pipeline.error().code.empty()) __builtin_trap();
    return 0;
  }
  const auto again = LoadPipelineText(pipeline->text, "again.yaml", "", {}, FakeRegistry());
  if (!again.ok() || again->text != pipeline->text) __builtin_trap();
  return 0;
}
