// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "plugins/scheduler/common/made_component.h"
#include "tenon/decoding.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_sampler();
extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_penalties();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;

// What the file leaves out is neutral there.
SamplingParams ParamsOf(const nlohmann::json& options) {
  SamplingParams params;
  params.temperature = options.value("temperature", 1.0f);
  params.top_k = options.value("top_k", 0);
  params.top_p = options.value("top_p", 1.0f);
  params.min_p = options.value("min_p", 0.0f);
  params.repetition_penalty = options.value("repetition_penalty", 1.0f);
  return params;
}

TEST(DecodingChain, MatchesTheReferenceProbabilities) {
  std::ifstream file(TENON_SOURCE_DIR "/tests/data/decoding/samplers.json");
  ASSERT_TRUE(file.is_open());
  const nlohmann::json cases = nlohmann::json::parse(file).at("cases");
  ASSERT_GE(cases.size(), 24u);
  MadeComponent penalties(tenon_plugin_v1_decoding_penalties(), "penalties");
  MadeComponent sampler(tenon_plugin_v1_decoding_sampler(), "sampler");
  double worst = 0;
  for (const auto& c : cases) {
    std::vector<float> logits = c.at("logits");
    const std::vector<int32_t> history = c.at("history");
    const std::vector<double> expected = c.at("probabilities");
    const SamplingParams params = ParamsOf(c.at("options"));
    const DecodePoint point = {{history.data(), history.size()}, 6, &params};
    const Span<float> span = {logits.data(), logits.size()};
    Sampler* const draw = sampler.Get<Sampler>();
    std::vector<char> memory(draw->ScratchBytes(static_cast<int32_t>(logits.size())) + 64);
    void* const scratch = memory.data() + 64 - reinterpret_cast<uintptr_t>(memory.data()) % 64;
    penalties.Get<LogitProcessor>()->Apply(point, span);
    draw->Distribution(point, span, scratch);
    for (size_t i = 0; i < expected.size(); ++i) {
      worst = std::max(worst, std::abs(logits[i] - expected[i]));
      // The file has 8 decimals.
      EXPECT_EQ(logits[i] > 0.5e-8, expected[i] > 0) << c.at("options") << " token " << i;
    }
  }
  EXPECT_LT(worst, 1e-6);
}

}  // namespace
}  // namespace tenon::decoding
