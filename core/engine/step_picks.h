// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "core/engine/batch_builder.h"
#include "core/engine/token_picker.h"
#include "core/program/program.h"

namespace tenon::core {

// The tokens that a step's sequences get: one slot a share, filled side by side. Thread: one.
class StepPicks {
 public:
  // `max_shares`: for so many memory is taken now; a step may have more.
  StepPicks(const Program& program, Device& device, const DecodingChain& decoding,
            int32_t vocabulary, int32_t max_shares);

  // Picks the tokens of each share from the Program's rows, and appends them to its sequence.
  void PickAll(const std::vector<StepShare>& shares);

  // Of share `i`: what was picked, and how many tokens its sequence knew before.
  const PickSlot& Slot(size_t i) const { return *slots_[i]; }
  int32_t KnownBefore(size_t i) const { return known_before_[i]; }

 private:
  void Reserve(size_t shares);
  void PickShare(const StepShare& share, PickSlot& slot);
  void ScorePrompt(const StepShare& share, PickSlot& slot);

  const Program& program_;
  Device& device_;
  const DecodingChain& decoding_;
  int32_t vocabulary_;
  int32_t max_picks_;
  std::vector<std::unique_ptr<PickSlot>> slots_;
  std::vector<int32_t> known_before_;
  const std::vector<StepShare>* shares_ = nullptr;  // of the step at work
};

}  // namespace tenon::core
