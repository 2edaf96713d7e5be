// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/expert_order.h"

#include <algorithm>
#include <cstring>

namespace tenon::quant {
namespace {

// Pieces of a step for each lane: enough that one that lost its core does not hold up the others.
constexpr int64_t kPiecesALane = 16;

uint64_t BeginBytes(int32_t experts) {
  return (static_cast<uint64_t>(experts) + 3 + 1) / 2 * 2 * sizeof(int32_t);
}

// The expert of every (token, slot); `experts` stands for numbers out of range.
template <typename Visit>
void VisitPairs(const GroupedBuffers& b, int32_t tokens, Visit visit) {
  const char* numbers = static_cast<const char*>(b.numbers.data);
  for (int32_t t = 0; t < tokens; ++t) {
    for (int32_t j = 0; j < b.slots; ++j) {
      int32_t expert = j;
      if (b.routed()) {
        std::memcpy(&expert, numbers + t * b.numbers.row_bytes + j * int64_t{4}, sizeof(expert));
        if (expert < 0 || expert >= b.experts) expert = b.experts;
      }
      visit(expert, RoutedRow{t, j});
    }
  }
}

}  // namespace

uint64_t ExpertOrderBytes(const GroupedBuffers& buffers, int32_t tokens) {
  const uint64_t pairs = static_cast<uint64_t>(tokens) * static_cast<uint64_t>(buffers.slots);
  return BeginBytes(buffers.experts) + pairs * sizeof(RoutedRow);
}

ExpertOrder SortByExpert(const GroupedBuffers& buffers, int32_t tokens, void* scratch) {
  const uint64_t begin_bytes = BeginBytes(buffers.experts);
  int32_t* begin = static_cast<int32_t*>(scratch);
  RoutedRow* rows = reinterpret_cast<RoutedRow*>(static_cast<char*>(scratch) + begin_bytes);
  // begin[e + 2] counts expert e; summed up, begin[e + 1] is where e's next row goes; when all rows
  // are there it is where e ends.
  std::memset(begin, 0, begin_bytes);
  VisitPairs(buffers, tokens, [begin](int32_t expert, RoutedRow) { ++begin[expert + 2]; });
  for (int32_t e = 1; e <= buffers.experts + 2; ++e) begin[e] += begin[e - 1];
  VisitPairs(buffers, tokens,
             [begin, rows](int32_t expert, RoutedRow row) { rows[begin[expert + 1]++] = row; });
  return {rows, begin};
}

ExpertPieces::ExpertPieces(const ExpertOrder& order, int32_t experts, int64_t panels,
                           const Lane& lane)
    : order_(order), experts_(experts), panels_(panels), lane_(lane) {}

int64_t ExpertPieces::PiecesOf(int32_t expert) const {
  const int64_t rows = order_.begin[expert + 1] - order_.begin[expert];
  if (rows == 0) return 0;
  if (lane_.count == 1) return 1;
  const int64_t all = order_.begin[experts_];
  return std::clamp((rows * lane_.count * kPiecesALane + all - 1) / all, int64_t{1}, panels_);
}

bool ExpertPieces::Next(ExpertPiece* out) {
  const int64_t claimed = lane_.Claim();
  for (; expert_ < experts_; ++expert_) {
    const int64_t pieces = PiecesOf(expert_);
    if (claimed < first_ + pieces) {
      const int64_t i = claimed - first_;
      *out = {expert_, order_.Of(expert_), panels_ * i / pieces, panels_ * (i + 1) / pieces};
      return true;
    }
    first_ += pieces;
  }
  return false;
}

}  // namespace tenon::quant
