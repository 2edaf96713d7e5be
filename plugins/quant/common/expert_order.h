// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "plugins/quant/common/grouped_spec.h"
#include "tenon/op.h"

// A step's (token, slot) pairs sorted by expert, and their division among lanes.
namespace tenon::quant {

struct RoutedRow {
  int32_t token;
  int32_t slot;
};

struct ExpertOrder {
  const RoutedRow* rows;  // by expert, then by token, then by slot
  const int32_t* begin;   // [experts + 2]; expert e has rows [begin[e], begin[e + 1])

  Span<const RoutedRow> Of(int32_t expert) const {
    return {rows + begin[expert], static_cast<uint64_t>(begin[expert + 1] - begin[expert])};
  }
};

// Bytes of scratch that SortByExpert needs for `tokens` tokens.
uint64_t ExpertOrderBytes(const GroupedBuffers& buffers, int32_t tokens);

// Counting sort of the first `tokens` rows; `scratch` is aligned to 8 bytes and holds the result.
// Of(experts) are the pairs whose number is no expert's. Allocates nothing.
ExpertOrder SortByExpert(const GroupedBuffers& buffers, int32_t tokens, void* scratch);

// One expert's rows times some panels of its matrices.
struct ExpertPiece {
  int32_t expert;
  Span<const RoutedRow> rows;
  int64_t first_panel, end_panel;
};

// Hands out all products of a step, to each lane what it claims. An expert is cut into more pieces
// the more rows it has, so that a favourite does not keep one lane busy alone.
class ExpertPieces {
 public:
  // `panels` are those of one expert, over all its matrices.
  ExpertPieces(const ExpertOrder& order, int32_t experts, int64_t panels, const Lane& lane);

  // False when there is nothing left.
  bool Next(ExpertPiece* out);

 private:
  int64_t PiecesOf(int32_t expert) const;

  const ExpertOrder order_;
  const int32_t experts_;
  const int64_t panels_;
  const Lane lane_;
  int32_t expert_ = 0;  // of the last claim
  int64_t first_ = 0;   // number of that expert's first piece
};

}  // namespace tenon::quant
