// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"

namespace tenon::text {

// Ends a stream of text at the first of several strings, wherever the pieces are cut, and holds
// back only what may still become one of them. The one that is complete first wins; of those
// complete at one place the longest. Aho and Corasick (1975): linear in the text. One per stream,
// one thread.
class StopStrings {
 public:
  // Up to 256 strings, each of 1 to 4096 bytes of UTF-8; kInvalid otherwise. None: nothing ever
  // stops.
  static Result<StopStrings> Make(const std::vector<std::string>& stops);

  // What may be shown now. After a stop: nothing more.
  std::string Push(std::string_view text);

  // The end of the stream: what was held back. Nothing after a stop.
  std::string Flush();

  bool stopped() const { return !matched_.empty(); }

  // The string that stopped it; empty before. It is not part of the text given out.
  const std::string& matched() const { return matched_; }

 private:
  struct Automaton;
  explicit StopStrings(std::shared_ptr<const Automaton> automaton);

  std::shared_ptr<const Automaton> automaton_;
  uint32_t state_ = 0;
  std::string held_;  // ends with the prefix that state_ stands for
  std::string matched_;
};

}  // namespace tenon::text
