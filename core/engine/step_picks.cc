// SPDX-License-Identifier: Apache-2.0
#include "core/engine/step_picks.h"

#include <algorithm>

namespace tenon::core {

StepPicks::StepPicks(const Program& program, Device& device, const DecodingChain& decoding,
                     int32_t vocabulary, int32_t max_shares)
    : program_(program),
      device_(device),
      decoding_(decoding),
      vocabulary_(vocabulary),
      max_picks_(decoding.drafter != nullptr ? decoding.drafter->MaxTokens() + 1 : 1) {
  Reserve(static_cast<size_t>(max_shares));
}

void StepPicks::Reserve(size_t shares) {
  while (slots_.size() < shares) {
    slots_.push_back(std::make_unique<PickSlot>(
        vocabulary_, decoding_.sampler->ScratchBytes(vocabulary_), max_picks_));
  }
  if (known_before_.size() < shares) known_before_.resize(shares);
}

void StepPicks::PickAll(const std::vector<StepShare>& shares) {
  Reserve(shares.size());
  for (size_t i = 0; i < shares.size(); ++i) known_before_[i] = shares[i].sequence->Known();
  shares_ = &shares;
  device_.ParallelFor(
      static_cast<int64_t>(shares.size()),
      [](void* context, int64_t i) noexcept {
        auto& self = *static_cast<StepPicks*>(context);
        const auto at = static_cast<size_t>(i);
        self.PickShare((*self.shares_)[at], *self.slots_[at]);
      },
      this);
}

// Row r belongs to slot computed + r and tells of the token after it.
void StepPicks::ScorePrompt(const StepShare& share, PickSlot& slot) {
  Sequence& sequence = *share.sequence;
  for (int32_t row = 0; row < share.rows; ++row) {
    const int32_t next = sequence.computed + row + 1;
    if (next >= sequence.PromptTokens()) return;
    if (static_cast<int32_t>(sequence.prompt_logprobs.size()) >= next) continue;
    const Span<float> logits = slot.Logits();
    if (program_.ReadRow(share.first_row + row, logits.data) != Status::kOk) return;
    const auto token = static_cast<uint64_t>(sequence.tokens[static_cast<size_t>(next)]);
    sequence.prompt_logprobs.push_back(static_cast<float>(logits[token] - LogSumExp(logits)));
    if (sequence.request->on_prompt_logits) sequence.request->on_prompt_logits(next, logits);
  }
}

void StepPicks::PickShare(const StepShare& share, PickSlot& slot) {
  Sequence& sequence = *share.sequence;
  slot.Clear();
  if (sequence.request->on_prompt_logprobs) ScorePrompt(share, slot);
  if (!share.picks || sequence.OutputLeft() <= 0) return;
  const Request& request = *sequence.request;
  const int32_t first_row = share.first_row + share.rows - share.drafts - 1;
  for (int32_t i = 0; i <= share.drafts; ++i) {
    if (program_.ReadRow(first_row + i, slot.Logits().data) != Status::kOk) return;
    const int32_t token = slot.Pick(decoding_, sequence);
    const bool stops = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
                       request.stop_tokens.end();
    if (stops || sequence.OutputLeft() <= 0) return;
    if (i < share.drafts && sequence.drafts[static_cast<size_t>(i)] != token) return;
  }
}

}  // namespace tenon::core
