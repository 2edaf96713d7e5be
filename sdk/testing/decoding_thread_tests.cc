// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <thread>
#include <vector>

#include "tenon/testing/decoding_tests.h"

// What headers tag "Thread: any, several at once" is called so: each thread has places of its own,
// and must be answered as it would be alone.
namespace tenon::testing {
namespace {

constexpr size_t kThreads = 4;
constexpr uint64_t kPlaces = 40;  // of each thread
constexpr int32_t kVocabulary = 2000;

// The answers at one thread's places.
using Answers = std::vector<std::vector<float>>;
using Ask = std::function<std::vector<float>(const DecodePoint&, std::vector<float>& logits)>;

Answers AskAt(size_t thread, const Ask& ask) {
  Answers answers;
  for (uint64_t place = 0; place < kPlaces; ++place) {
    const uint64_t seed = 1 + thread * kPlaces + place;
    const std::vector<int32_t> tokens = RandomTokens(20 + seed % 30, kVocabulary, seed);
    std::vector<float> logits = RandomLogits(kVocabulary, seed);
    SamplingParams params;
    params.seed = seed;
    params.temperature = 0.9f;
    params.presence_penalty = 0.5f;
    answers.push_back(ask(PointOf(tokens, 10, params), logits));
  }
  return answers;
}

Verdict AsAlone(const Ask& ask) {
  std::vector<Answers> alone, together(kThreads);
  for (size_t i = 0; i < kThreads; ++i) alone.push_back(AskAt(i, ask));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { together[i] = AskAt(i, ask); });
  }
  for (std::thread& thread : threads) thread.join();
  return together == alone ? Passed(Text("%d threads at once", static_cast<int>(kThreads)))
                           : Failed("answers change where several threads ask at once");
}

Verdict Processor(const Subject& subject) {
  Role<LogitProcessor> made(subject);
  if (made.role == nullptr) return Skipped("offers no tenon.decoding.processor/1");
  return AsAlone([&](const DecodePoint& point, std::vector<float>& logits) {
    made.role->Apply(point, {logits.data(), logits.size()});
    return logits;
  });
}

Verdict ASampler(const Subject& subject) {
  Role<Sampler> made(subject);
  if (made.role == nullptr) return Skipped("offers no tenon.decoding.sampler/1");
  return AsAlone([&](const DecodePoint& point, std::vector<float>& logits) {
    const Scratch scratch(made.role->ScratchBytes(kVocabulary));
    const int32_t token = made.role->Sample(point, {logits.data(), logits.size()}, scratch.get());
    return std::vector<float>(1, static_cast<float>(token));
  });
}

}  // namespace

void AddDecodingThreadTests(std::vector<Test>* tests) {
  tests->push_back({"decoding.processor.threads", Processor});
  tests->push_back({"decoding.sampler.threads", ASampler});
}

}  // namespace tenon::testing
