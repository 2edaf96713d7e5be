// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/splicer.h"

#include <iterator>

namespace tenon::text::tokenizer_json {

SplitBehavior ReadBehavior(Fields& fields, const char* key) {
  constexpr std::string_view kNames[] = {"Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous"};
  const std::string name = fields.Text(key);
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<SplitBehavior>(i);
  }
  fields.Fail(fields.Child(key).Wrong(
      "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"));
  return SplitBehavior::kIsolated;
}

void Splicer::Begin(Pieces::Range piece) {
  piece_ = piece;
  done_ = 0;
  is_open_ = was_match_ = false;
}

void Splicer::Match(uint32_t begin, uint32_t end) {
  if (done_ < begin) Add(done_, begin, invert_);
  Add(begin, end, !invert_);
  done_ = end;
}

void Splicer::End() {
  const uint32_t size = piece_.end - piece_.begin;
  if (done_ < size) Add(done_, size, invert_);
  Emit();
}

void Splicer::Emit() {
  if (is_open_ && open_.begin < open_.end) {
    out_->push_back({piece_.begin + open_.begin, piece_.begin + open_.end});
  }
  is_open_ = false;
}

void Splicer::Add(uint32_t begin, uint32_t end, bool match) {
  bool joins = false;
  switch (behavior_) {
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      break;
    case SplitBehavior::kMergedWithPrevious:
      joins = match && !was_match_;
      break;
    case SplitBehavior::kMergedWithNext:
      joins = !match && was_match_;
      break;
    case SplitBehavior::kContiguous:
      joins = match == was_match_;
      break;
  }
  was_match_ = match;
  if (joins && is_open_) {
    open_.end = end;
    return;
  }
  Emit();
  open_ = {begin, end};
  is_open_ = !match || behavior_ != SplitBehavior::kRemoved;
}

}  // namespace tenon::text::tokenizer_json
