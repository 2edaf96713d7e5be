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

// Sequences of encoders come whole, in one step; the longest has several tiles.
std::vector<std::vector<StepPart>> EncoderSteps() {
  return {{{0, 37}}, {{1, 131}, {2, 1}, {3, 16}}, {{4, 128}}, {{5, 3}, {6, 50}}};
}

void AddLatentCases(std::vector<RigCase>* cases) {
  // Heads, rank, rope_dim; 96 and 50 heads are cut into equal runs, 53 cannot be.
  const int32_t shapes[][3] = {{1, 16, 8},   {16, 96, 32}, {5, 40, 12}, {3, 17, 5},
                               {50, 32, 16}, {96, 16, 16}, {53, 16, 8}, {2, 512, 64}};
  for (const auto& [heads, rank, rope_dim] : shapes) {
    const float scale = 1 / std::sqrt(static_cast<float>(rank + rope_dim));
    const AttentionParams layer = {0, heads, 1, rank + rope_dim, rank, scale, 0, 0, 0};
    const std::string name = "latent, " + std::to_string(heads) + " heads, " +
                             std::to_string(rank) + " + " + std::to_string(rope_dim);
    for (const char* type : {"f32", "f16", "bf16"}) {
      if (heads * rank > 500 && type != std::string("f16")) continue;
      cases->push_back(Case(name, layer, type, MixedSteps()));
      cases->back().setup.kind = RigKind::kLatent;
    }
  }
  cases->push_back(Case("latent, tree", {0, 6, 1, 48, 32, 0.2f, 0, 0, 0}, "bf16", TreeSteps()));
  cases->back().setup.kind = RigKind::kLatent;
}

void AddBidirectionalCases(std::vector<RigCase>* cases) {
  // Heads, KV heads, head_dim.
  const int32_t shapes[][3] = {{12, 12, 32}, {4, 2, 64},  {6, 1, 80},
                               {2, 2, 17},   {100, 1, 8}, {1, 1, 13}};
  for (const auto& [heads, kv_heads, head_dim] : shapes) {
    const float scale = 1 / std::sqrt(static_cast<float>(head_dim));
    const AttentionParams layer = {0, heads, kv_heads, head_dim, head_dim, scale, 0, 0, 0};
    const std::string name = "bidirectional, " + std::to_string(heads) + "/" +
                             std::to_string(kv_heads) + " heads, " + std::to_string(head_dim);
    cases->push_back(Case(name, layer, "f16", EncoderSteps()));
    cases->back().setup.kind = RigKind::kBidirectional;
  }
}

// The cases so far, with K and V as int8 where they are not.
void AddInt8Cases(std::vector<RigCase>* cases) {
  const size_t count = cases->size();
  for (size_t i = 0; i < count; ++i) {
    RigCase c = (*cases)[i];
    std::string& type = c.setup.options["kv_type"];
    if (type == "int8" || c.name.find(" heads, ") != std::string::npos) continue;
    type = "int8";
    c.name += ", but int8";
    cases->push_back(std::move(c));
  }
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
    for (const char* type : {"f32", "f16", "bf16", "int8"}) {
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
  // The windows and sinks of gpt-oss, with few slots in sight.
  cases.push_back(Case("sinks, window 1", {0, 8, 1, 64, 64, 0.2f, 1, 0, 1}, "f16", MixedSteps()));
  cases.push_back(Case("sinks, window 3", {0, 4, 2, 64, 64, 0.2f, 3, 0, 1}, "bf16", MixedSteps()));
  cases.push_back(
      Case("sinks, window 128", {0, 8, 1, 64, 64, 0.125f, 128, 0, 1}, "f16", MixedSteps()));
  cases.push_back(Case("tree, sinks", {0, 4, 2, 64, 64, 0.2f, 0, 0, 1}, "f16", TreeSteps()));
  cases.push_back(
      Case("tree, sinks, window 1", {0, 4, 2, 64, 64, 0.2f, 1, 0, 1}, "f32", TreeSteps()));
  cases.push_back(
      Case("tree, sinks, window 3", {0, 8, 2, 64, 64, 0.2f, 3, 0, 1}, "f16", TreeSteps()));
  cases.push_back(Case("tree, sinks, window 3, cap", {0, 4, 1, 40, 72, 0.2f, 3, 5, 1}, "bf16",
                       TreeSteps(), 5e-6));
  AddInt8Cases(&cases);
  AddLatentCases(&cases);
  AddBidirectionalCases(&cases);
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
