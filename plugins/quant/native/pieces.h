// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "tenon/op.h"

namespace tenon::quant {

// Up to so many rows the time of a product goes into reading weights.
inline constexpr int64_t kUnitRows = 16;

// How many of `count` equal parts of a product, each with `bytes` of weights, are claimed at once:
// few, so that the lanes end together, but more than a claim costs.
inline int64_t PieceOf(const Lane& lane, int64_t count, int64_t bytes, int64_t rows) {
  constexpr int64_t kClaimBytes = 16384;
  if (rows > kUnitRows) return std::max(count / (lane.count * 32), int64_t{1});
  return std::max(
      {count / (lane.count * 64), kClaimBytes / std::max(bytes, int64_t{1}), int64_t{1}});
}

// Calls work(first, end, next) until all lanes together have done [0, count); `next` is where this
// lane goes on, count if nowhere. Half goes to the lanes in equal runs, with no claim (a claimed
// counter travels between cores); the rest in pieces to whoever comes, so that a lane that lost its
// core does not hold up the others. A piece is claimed while the one before is still to be done, so
// that its weights can be fetched.
template <typename Work>
void SharePieces(const Lane& lane, int64_t count, int64_t piece, Work work) noexcept {
  const int64_t own = count / (2 * lane.count);
  const int64_t shared = own * lane.count;
  const auto claim = [&] { return std::min(shared + lane.Claim() * piece, count); };
  int64_t next = claim();
  if (own > 0) work(lane.index * own, (lane.index + 1) * own, next);
  while (next < count) {
    const int64_t first = next;
    next = claim();
    work(first, std::min(first + piece, count), next);
  }
}

// Rows that one call multiplies where there are many: their rounded inputs stay in L2.
inline constexpr int64_t kRunRows = 128;

// Some of the parts, for some of the rows.
struct GridPiece {
  int64_t first, end;          // parts
  int64_t next;                // the part where this lane goes on
  int64_t first_row, end_row;  // at most kRunRows of them
};

// The same for `count` parts of all `rows`, cut into runs of rows: calls work(GridPiece). Lanes go
// through one run after another, so that what they wait for at the end is little of the whole.
template <typename Work>
void ShareGrid(const Lane& lane, int64_t count, int64_t rows, int64_t piece, Work work) noexcept {
  const int64_t runs = (rows + kRunRows - 1) / kRunRows;
  SharePieces(lane, count * runs, piece, [&](int64_t first, int64_t end, int64_t next) {
    while (first < end) {
      const int64_t run = first / count, before = run * count;
      const int64_t stop = std::min(end, before + count);
      const int64_t after = stop < end ? 0 : next % count;
      work(GridPiece{first - before, stop - before, after, rows * run / runs,
                     rows * (run + 1) / runs});
      first = stop;
    }
  });
}

}  // namespace tenon::quant
