// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "tenon/op.h"

namespace tenon::quant {

// Calls work(first, end) until all lanes together have done [0, count). Half of it goes to the
// lanes in equal runs, with no claim (a claimed counter travels between cores); the rest in small
// pieces to whoever comes, so that a lane that lost its core does not hold up the others. At few
// rows a piece must still outweigh its claim.
template <typename Work>
void SharePieces(const Lane& lane, int64_t count, int64_t rows, Work work) noexcept {
  const int64_t piece = std::max(count / (lane.count * (rows <= 16 ? 8 : 32)), int64_t{1});
  const int64_t own = count / (2 * lane.count);
  if (own > 0) work(lane.index * own, (lane.index + 1) * own);
  const int64_t shared = own * lane.count;
  for (int64_t first = shared + lane.Claim() * piece; first < count;
       first = shared + lane.Claim() * piece) {
    work(first, std::min(first + piece, count));
  }
}

}  // namespace tenon::quant
