// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/decoding_tests.h"

#include <algorithm>

#include "tenon/testing/exercise.h"
#include "tenon/testing/families.h"
#include "tenon/testing/numbers.h"

namespace tenon::testing {
namespace {

constexpr uint64_t kMark = 64;
constexpr uint8_t kMarkByte = 0xa5;

class Choosing final : public Exercise {
 public:
  Choosing(const Instance& instance, uint64_t seed) : instance_(instance), seed_(seed) {}

  std::vector<double> Run() override {
    std::vector<double> out;
    const std::vector<int32_t> tokens = RandomTokens(60, 50, seed_);
    SamplingParams params;
    params.seed = seed_;
    for (int32_t prompt = 10; prompt < 50; prompt += 5) {
      const DecodePoint point = PointOf(tokens, prompt, params);
      std::vector<float> logits = RandomLogits(50, seed_ + static_cast<uint64_t>(prompt));
      const Span<float> view = {logits.data(), logits.size()};
      if (auto* processor = instance_.As<LogitProcessor>()) processor->Apply(point, view);
      if (auto* drafter = instance_.As<Drafter>()) {
        std::vector<int32_t> drafts(8, -1);
        out.push_back(drafter->Propose(point, {drafts.data(), drafts.size()}));
        out.insert(out.end(), drafts.begin(), drafts.end());
      }
      if (auto* sampler = instance_.As<Sampler>()) {
        const Scratch scratch(sampler->ScratchBytes(50));
        out.push_back(sampler->Sample(point, view, scratch.get()));
        continue;
      }
      out.insert(out.end(), logits.begin(), logits.end());
    }
    return out;
  }

 private:
  const Instance& instance_;
  uint64_t seed_;
};

}  // namespace

std::vector<float> RandomLogits(size_t vocabulary, uint64_t seed) {
  std::vector<float> logits;
  for (size_t i = 0; i < vocabulary; ++i) {
    // Twelve uniform numbers are near enough to a normal one.
    float sum = 0;
    for (uint64_t j = 0; j < 12; ++j) sum += NumberAt(seed, 9, i, j);
    logits.push_back(sum);
  }
  return logits;
}

std::vector<int32_t> RandomTokens(size_t count, int32_t vocabulary, uint64_t seed) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < count; ++i) {
    const bool again = i >= 8 && NumberAt(seed, 1, i / 8, 0) > 0;
    const float number = NumberAt(seed, 2, again ? i - 8 : i, 0);
    const int32_t token = static_cast<int32_t>((number + 1) / 2 * static_cast<float>(vocabulary));
    tokens.push_back(again ? tokens[i - 8] : std::min(token, vocabulary - 1));
  }
  return tokens;
}

Scratch::Scratch(uint64_t bytes) : bytes_(bytes), memory_(bytes + 64 + kMark, kMarkByte) {}

void* Scratch::get() const {
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory_.data());
  return reinterpret_cast<void*>((address + 63) / 64 * 64);
}

bool Scratch::Overrun() const {
  const uint8_t* end = static_cast<const uint8_t*>(get()) + bytes_;
  const uint8_t* last = memory_.data() + memory_.size();
  return std::any_of(end, last, [](uint8_t byte) { return byte != kMarkByte; });
}

std::unique_ptr<Exercise> DecodingExercise(const Instance& instance, uint64_t seed) {
  return std::make_unique<Choosing>(instance, seed);
}

void AddDecodingTests(const ComponentInfo&, std::vector<Test>* tests) {
  AddProcessorTests(tests);
  AddSamplerTests(tests);
  AddDrafterTests(tests);
  AddDecodingThreadTests(tests);
  AddRuleTests(tests);
}

}  // namespace tenon::testing
