// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer_json/pre_tokenizers.h"

namespace tenon::text::tokenizer_json {

// What becomes of the matches when a piece is cut at them; the names are tokenizer.json's.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// "behavior": fails `fields` where it is none of them.
SplitBehavior ReadBehavior(Fields& fields, const char* key);

// Makes new pieces of the matches in old ones and of what lies between them, as a behaviour says.
class Splicer {
 public:
  Splicer(SplitBehavior behavior, bool invert, std::vector<Pieces::Range>* out)
      : behavior_(behavior), invert_(invert), out_(out) {}

  void Begin(Pieces::Range piece);  // offsets given to Match count from its start
  void Match(uint32_t begin, uint32_t end);
  void End();

 private:
  void Add(uint32_t begin, uint32_t end, bool match);
  void Emit();  // the open piece

  SplitBehavior behavior_;
  bool invert_;
  std::vector<Pieces::Range>* out_;
  Pieces::Range piece_ = {0, 0};
  uint32_t done_ = 0;            // of the piece
  Pieces::Range open_ = {0, 0};  // what may still grow
  bool is_open_ = false;
  bool was_match_ = false;
};

// Cuts every piece at the matches of `find`, a callable (std::string_view piece, auto match) ->
// Result<void> that calls match(begin, end) from left to right.
template <typename Find>
Result<void> SplitPieces(Pieces* pieces, SplitBehavior behavior, bool invert, const Find& find) {
  std::vector<Pieces::Range> list;
  list.reserve(pieces->list.size());
  Splicer splicer(behavior, invert, &list);
  for (size_t i = 0; i < pieces->list.size(); ++i) {
    splicer.Begin(pieces->list[i]);
    TENON_RETURN_IF_ERROR(find(pieces->At(i), [&](size_t begin, size_t end) {
      splicer.Match(static_cast<uint32_t>(begin), static_cast<uint32_t>(end));
    }));
    splicer.End();
  }
  pieces->starts_text = pieces->starts_text && !pieces->list.empty() && !list.empty() &&
                        list.front().begin == pieces->list.front().begin;
  pieces->list = std::move(list);
  return {};
}

}  // namespace tenon::text::tokenizer_json
