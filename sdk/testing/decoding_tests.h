// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tenon/decoding.h"
#include "tenon/testing/stand.h"

// The roles of the decoding family, each in a file of its own. A test is skipped where the
// component does not offer the role.
namespace tenon::testing {

void AddProcessorTests(std::vector<Test>* tests);
void AddSamplerTests(std::vector<Test>* tests);
void AddDrafterTests(std::vector<Test>* tests);
void AddDecodingThreadTests(std::vector<Test>* tests);
void AddRuleTests(std::vector<Test>* tests);

// Logits of about a normal distribution, by the seed alone.
std::vector<float> RandomLogits(size_t vocabulary, uint64_t seed);

// A prompt and an output of tokens below `vocabulary`, with repetitions.
std::vector<int32_t> RandomTokens(size_t count, int32_t vocabulary, uint64_t seed);

// One place in that text, of which the first `prompt` tokens were given.
inline DecodePoint PointOf(const std::vector<int32_t>& tokens, int32_t prompt,
                           const SamplingParams& params) {
  return {{tokens.data(), tokens.size()}, prompt, &params};
}

// A component with its defaults and its role T; null where it does not offer it.
template <typename T>
struct Role {
  explicit Role(const Subject& subject)
      : device(subject.device),
        instance(*subject.component, &host, &device),
        role(instance.As<T>()) {}

  KitHost host;
  KitDevice device;
  Instance instance;
  T* role;
};

// A sampler's scratch, with marks behind it.
class Scratch {
 public:
  explicit Scratch(uint64_t bytes);
  void* get() const;
  bool Overrun() const;  // whether something was written behind it

 private:
  uint64_t bytes_;
  std::vector<uint8_t> memory_;
};

}  // namespace tenon::testing
