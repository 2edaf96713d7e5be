// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/attention_cases.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenon::attention {
namespace {

// Prompts in chunks, beside decodes, across tiles of 128 slots.
std::vector<std::vector<StepPart>> MixedSteps() {
  return {{{0, 37}},
          {{0, 1}, {1, 150}},
          {{0, 1}, {1, 1}, {2, 7}},
          {{2, 90}, {0, 1}, {1, 17}},
          {{0, 1}, {1, 1}, {2, 1}}};
}

std::vector<std::vector<StepPart>> TreeSteps() {
  const std::vector<uint64_t> masks = {0b0000001, 0b0000011, 0b0000101, 0b0001011,
                                       0b0010011, 0b0100101, 0b1100101};
  const std::vector<int32_t> depths = {0, 1, 1, 2, 2, 2, 3};
  return {{{0, 125}, {1, 3}},
          {{0, 7, masks, depths}, {1, 1, {1}, {0}}},
          {{1, 70}, {0, 2}},
          {{0, 7, masks, depths}, {1, 66}}};
}

RigCase Case(std::string name, AttentionParams layer, const char* kv_type,
             std::vector<std::vector<StepPart>> steps, double tolerance = 2e-6) {
  RigCase out;
  out.name = std::move(name) + " " + kv_type;
  out.setup.layer = layer;
  out.setup.options = {{"kv_type", kv_type}};
  out.setup.max_context = 300;
  out.setup.max_tokens = 200;
  out.tolerance = tolerance;
  out.steps = std::move(steps);
  return out;
}

}  // namespace

std::vector<RigCase> RigCases() {
  std::vector<RigCase> cases;
  const struct {
    int32_t heads, kv_heads, head_dim, value_dim;
  } shapes[] = {{1, 1, 16, 16},   {9, 3, 64, 64}, {8, 8, 96, 96}, {4, 1, 256, 256}, {6, 2, 80, 80},
                {5, 1, 128, 128}, {2, 1, 17, 5},  {50, 1, 8, 24}, {8, 4, 40, 72},   {7, 1, 32, 48}};
  for (const auto& s : shapes) {
    const float scale = 1 / std::sqrt(static_cast<float>(s.head_dim));
    const AttentionParams layer = {0, s.heads, s.kv_heads, s.head_dim, s.value_dim, scale, 0, 0, 0};
    const std::string name = std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) +
                             " heads, " + std::to_string(s.head_dim) + "/" +
                             std::to_string(s.value_dim);
    for (const char* type : {"f32", "f16", "bf16"}) {
      cases.push_back(Case(name, layer, type, MixedSteps()));
    }
  }
  cases.push_back(Case("window 16", {0, 4, 2, 64, 64, 0.2f, 16, 0, 0}, "f16", MixedSteps()));
  cases.push_back(Case("window 1", {0, 4, 2, 64, 64, 0.2f, 1, 0, 0}, "f32", MixedSteps()));
  cases.push_back(Case("window 129", {0, 4, 1, 64, 64, 0.2f, 129, 0, 0}, "f16", MixedSteps()));
  cases.push_back(Case("cap 5", {0, 4, 2, 64, 64, 0.5f, 0, 5, 0}, "f32", MixedSteps(), 5e-6));
  cases.push_back(Case("cap 50", {0, 4, 2, 64, 64, 1, 0, 50, 0}, "bf16", MixedSteps(), 2e-5));
  cases.push_back(Case("sinks", {0, 4, 2, 64, 64, 0.2f, 0, 0, 1}, "f32", MixedSteps()));
  cases.push_back(Case("all", {0, 9, 3, 64, 64, 0.2f, 20, 5, 1}, "f16", MixedSteps(), 5e-6));
  cases.push_back(Case("tree", {0, 9, 3, 64, 64, 0.2f, 0, 0, 0}, "f16", TreeSteps()));
  cases.push_back(Case("tree, window 3", {0, 4, 1, 64, 64, 0.2f, 3, 0, 0}, "f16", TreeSteps()));
  cases.push_back(Case("tree, window 40", {0, 4, 1, 64, 64, 0.2f, 40, 0, 1}, "f32", TreeSteps()));
  cases.push_back(Case("negative scale", {0, 4, 2, 64, 64, -0.2f, 9, 0, 0}, "f32", MixedSteps()));
  // Scores of about +-100: all weight on one slot, and most of the others underflow.
  RigCase steep = Case("steep", {0, 4, 2, 64, 64, 1, 0, 0, 0}, "f32", MixedSteps(), 2e-4);
  steep.setup.magnitude = 10;
  cases.push_back(steep);
  return cases;
}

RigSession::Rows RunCase(const PluginInfo& plugin, const RigSetup& setup,
                         const std::vector<std::vector<StepPart>>& steps) {
  RigSession session(plugin, setup);
  EXPECT_EQ(session.failure(), "");
  if (!session.failure().empty()) return {};
  for (const std::vector<StepPart>& step : steps) session.Run(step);
  return session.rows();
}

}  // namespace tenon::attention
