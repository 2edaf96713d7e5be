// SPDX-License-Identifier: Apache-2.0
#include "core/engine/sequence_events.h"

#include <algorithm>
#include <chrono>

namespace tenon::core {
namespace {

void Tell(Sequence& sequence, TokenEvent event) {
  if (!sequence.request->on_event) return;
  event.request = sequence.request_id;
  // Choices that are not made yet have heard nothing.
  if (!sequence.heard || event.choice != sequence.choice) {
    event.cached_tokens = sequence.cached_tokens;
    event.queued_us =
        sequence.queued_us >= 0 ? sequence.queued_us : NowMicroseconds() - sequence.arrival_us;
  }
  sequence.heard = sequence.heard || event.choice == sequence.choice;
  sequence.request->on_event(event);
}

}  // namespace

int64_t NowMicroseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool HasEnded(const Sequence& sequence, int32_t choice) {
  return std::find(sequence.ended.begin(), sequence.ended.end(), choice) != sequence.ended.end();
}

void Finish(Sequence& sequence, FinishReason reason, const char* error) {
  sequence.finish = reason;
  // Choices that were not made yet end with the one that stands for them.
  const int32_t last = sequence.forked ? sequence.choice : sequence.request->n - 1;
  const int32_t first = sequence.choice;
  for (int32_t choice = first; choice <= last; ++choice) {
    if (HasEnded(sequence, choice)) continue;
    Tell(sequence, {.choice = choice, .top = {}, .finish = reason, .error = error});
  }
}

void ReportPicks(Sequence& sequence, const PickSlot& slot, int32_t first_known) {
  const Request& request = *sequence.request;
  if (request.on_prompt_logprobs && sequence.computed >= sequence.PromptTokens() &&
      sequence.OutputTokens() <= slot.picks()) {
    request.on_prompt_logprobs({sequence.prompt_logprobs.data(), sequence.prompt_logprobs.size()});
  }
  for (int32_t pick = 0; pick < slot.picks(); ++pick) {
    const int32_t token = sequence.tokens[static_cast<size_t>(first_known + pick)];
    const bool stops = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
                       request.stop_tokens.end();
    const bool full = first_known + pick + 1 - sequence.PromptTokens() >= request.max_tokens;
    if (pick + 1 == slot.picks() && (stops || full)) {
      sequence.finish = stops ? FinishReason::kStop : FinishReason::kLength;
    }
    Tell(sequence, {.choice = sequence.choice,
                    .token = token,
                    .logprob = request.logprobs >= 0 ? slot.Logprob(pick) : 0.0F,
                    .top = slot.Top(pick, request.logprobs),
                    .finish = sequence.finish});
  }
  const bool nothing_wanted =
      request.max_tokens == 0 && sequence.computed >= sequence.PromptTokens();
  if (nothing_wanted && sequence.finish == FinishReason::kNone) {
    Finish(sequence, FinishReason::kLength);
  }
}

void CancelChoice(Sequence& sequence, int32_t choice) {
  const int32_t n = sequence.request->n;
  if (sequence.forked || n == 1) {
    if (choice == sequence.choice) Finish(sequence, FinishReason::kCancelled);
    return;
  }
  if (choice < sequence.choice || choice >= n || HasEnded(sequence, choice)) return;
  int32_t next = sequence.choice == choice ? choice + 1 : sequence.choice;
  while (next < n && HasEnded(sequence, next)) ++next;
  if (next >= n) return Finish(sequence, FinishReason::kCancelled);
  Tell(sequence, {.choice = choice, .top = {}, .finish = FinishReason::kCancelled});
  sequence.ended.push_back(choice);
  // Another choice stands for those that are left.
  if (next == sequence.choice) return;
  sequence.choice = next;
  sequence.sampling.seed = sequence.request->sampling.seed + static_cast<uint64_t>(next);
  sequence.heard = false;
}

}  // namespace tenon::core
