// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tenon/component.h"
#include "tenon/rules.h"

namespace tenon::decoding {

// Writes `with` wherever the output says `find`, or ends the output there. Matches are found as in
// Knuth, Morris and Pratt (1977), leftmost first, across pieces; a stream holds back at most what
// could still become a match. Linear in the text.
class Replace final : public Component, public BackRule {
 public:
  explicit Replace(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<BackRule>(this, name); }
  TextFilter* Begin() noexcept override;
  void End(TextFilter* filter) noexcept override;

 private:
  class Stream;

  std::string find_;
  std::string with_;
  bool block_;
  std::vector<size_t> border_;  // [find_.size()]: of each prefix, the longest that is also its end
};

}  // namespace tenon::decoding
