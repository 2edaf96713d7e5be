// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tenon/testing/attention_stand.h"

// What the tests of attention components share.
namespace tenon::testing {

inline constexpr const char* kKvTypes[] = {"f32", "f16", "bf16", "int8"};

// The bit that a component claims for a KV type.
Capability KvBit(const std::string& type);

// Most that a row may be off, of its greatest number; what is stored in a type is rounded to it in
// the formula, int8 not.
double ToleranceOf(const std::string& type);

// A layer with the usual scale.
AttentionParams Layer(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t value_dim);

// Of that layer, with the first KV type that the component claims.
AttentionSetup SetupOf(const Subject& subject, AttentionParams layer);

// Prompts in pieces beside decodes, sequences of several pages.
std::vector<AttentionStep> MixedSteps();

// The option that chooses the KV type; none where the component has no such option.
std::map<std::string, std::string> KvOption(const ComponentInfo& info, const std::string& type);

// A component with its stand, ended in the right order.
struct AttentionRig {
  AttentionRig(const Subject& subject, const AttentionSetup& setup, int32_t lanes = 0)
      : device(lanes > 0 ? std::make_unique<KitDevice>(lanes)
                         : std::make_unique<KitDevice>(subject.device)),
        instance(*subject.component, &host, device.get(),
                 KvOption(*subject.component, setup.kv_type)),
        stand(instance.As<Attention>(), *device, setup) {}

  // Runs the steps; "" or what is wrong besides the numbers.
  std::string Play(const std::vector<AttentionStep>& steps) {
    if (instance.get() == nullptr) return "not made: " + host.TakeFailure();
    if (stand.status() != Status::kOk) return "LayOut or Plan refused: " + host.TakeFailure();
    for (const AttentionStep& step : steps) {
      const std::string wrong = stand.Run(step);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  KitHost host;
  std::unique_ptr<KitDevice> device;
  Instance instance;
  AttentionStand stand;
};

// Determinism, prompts in pieces, company in the batch, lanes.
void AddAttentionBatchTests(std::vector<Test>* tests);

}  // namespace tenon::testing
