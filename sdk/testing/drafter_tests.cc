// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tenon/testing/decoding_tests.h"
#include "tenon/testing/stopwatch.h"

namespace tenon::testing {
namespace {

const char* const kNoRole = "offers no tenon.decoding.drafter/1";
constexpr int32_t kUnwritten = -77;
// The interface does not say the vocabulary; no model's is as large as this.
constexpr int32_t kLargestVocabulary = 1 << 20;

// Asks once with room for `room` tokens; what is wrong, or "".
std::string Ask(Drafter& drafter, const DecodePoint& point, size_t room,
                std::vector<int32_t>* drafts) {
  drafts->assign(room + 8, kUnwritten);
  const int32_t count = drafter.Propose(point, {drafts->data(), room});
  const int32_t most = std::min(drafter.MaxTokens(), static_cast<int32_t>(room));
  if (count < 0 || count > most) return Text("proposed %d tokens; 0 to %d allowed", count, most);
  for (int32_t i = 0; i < count; ++i) {
    const int32_t token = (*drafts)[static_cast<size_t>(i)];
    if (token < 0 || token >= kLargestVocabulary) {
      return Text("proposed token %d, which is in no vocabulary", token);
    }
  }
  for (size_t i = room; i < drafts->size(); ++i) {
    if ((*drafts)[i] != kUnwritten) return "wrote behind the room for its proposals";
  }
  return "";
}

Verdict Bounds(const Subject& subject) {
  Role<Drafter> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  if (made.role->MaxTokens() < 1 || made.role->MaxTokens() > 63) {
    return Failed(Text("MaxTokens is %d; 1 to 63 allowed", made.role->MaxTokens()));
  }
  const SamplingParams params;
  int64_t proposed = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const std::vector<int32_t> tokens = RandomTokens(seed * 3, 40, seed);
    for (const size_t room : {size_t{0}, size_t{1}, size_t{4}, size_t{64}}) {
      std::vector<int32_t> drafts, again;
      const DecodePoint point = PointOf(tokens, static_cast<int32_t>(seed), params);
      std::string wrong = Ask(*made.role, point, room, &drafts);
      if (wrong.empty()) wrong = Ask(*made.role, point, room, &again);
      if (!wrong.empty()) return Failed(wrong);
      if (drafts != again) return Failed("the same point gave other proposals");
      proposed += drafts.empty() || drafts[0] == kUnwritten ? 0 : 1;
    }
  }
  return Passed(Text("proposed something at %lld of 400 places", static_cast<long long>(proposed)));
}

Verdict Empty(const Subject& subject) {
  Role<Drafter> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const SamplingParams params;
  std::vector<int32_t> drafts;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{2}}) {
    const std::vector<int32_t> tokens(size, 3);
    const std::string wrong = Ask(*made.role, PointOf(tokens, 0, params), 8, &drafts);
    if (!wrong.empty()) return Failed(wrong);
  }
  return Passed();
}

Verdict Time(const Subject& subject) {
  Role<Drafter> made(subject);
  if (made.role == nullptr) return Skipped(kNoRole);
  const std::vector<int32_t> tokens = RandomTokens(4000, 40000, 1);
  const SamplingParams params;
  std::vector<int32_t> drafts(64);
  const double seconds = FastestSeconds([&] {
    made.role->Propose(PointOf(tokens, 2000, params), {drafts.data(), drafts.size()});
  });
  return Passed(Text("after 4000 tokens: %.0f us", seconds * 1e6));
}

}  // namespace

void AddDrafterTests(std::vector<Test>* tests) {
  tests->insert(tests->end(), {{"decoding.drafter.bounds", Bounds},
                               {"decoding.drafter.empty", Empty},
                               {"decoding.drafter.time", Time}});
}

}  // namespace tenon::testing
