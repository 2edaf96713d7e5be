// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/engine/sequence.h"
#include "core/engine/token_picker.h"

// What requests hear of their sequences. Thread: the engine's; a request may submit and cancel
// while it hears.
namespace tenon::core {

// Of the steady clock.
int64_t NowMicroseconds();

// Whether the choice ended before it was made.
bool HasEnded(const Sequence& sequence, int32_t choice);

// Tells of the tokens that `slot` picked, the first at place `first_known`; a sequence that is
// complete has its `finish` set.
void ReportPicks(Sequence& sequence, const PickSlot& slot, int32_t first_known);

// Ends a sequence, and the choices that it stands for; each hears of it.
void Finish(Sequence& sequence, FinishReason reason, const char* error = "");

// Cancels one choice, made or not. Another one stands for those that are left.
void CancelChoice(Sequence& sequence, int32_t choice);

}  // namespace tenon::core
