// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/pieces.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

namespace tenon::attention {
namespace {

struct Step {
  std::vector<SequenceSpan> spans;
  std::vector<int32_t> positions;
  std::vector<uint64_t> tree;
  Batch batch{};

  explicit Step(const std::vector<std::pair<int32_t, int32_t>>& context_and_tokens) {
    for (const auto& [context, tokens] : context_and_tokens) {
      spans.push_back({static_cast<int32_t>(positions.size()), tokens, context, 0, 0, -1});
      for (int32_t j = 0; j < tokens; ++j) positions.push_back(context + j);
    }
    batch.tokens = static_cast<int32_t>(positions.size());
    batch.sequences = static_cast<int32_t>(spans.size());
    batch.spans = batch.host_spans = spans.data();
    batch.positions = positions.data();
  }
};

// (sequence, kv head, token, tile) of every piece; fails on one that comes twice.
using Work = std::set<std::tuple<int64_t, int32_t, int32_t, int32_t>>;
Work AllWork(const Step& step, const PieceShape& shape, int32_t lanes, int64_t max_parts,
             int64_t* pieces_found) {
  Work work;
  Pieces pieces(step.batch, shape, lanes, max_parts);
  Piece piece;
  int64_t n = 0;
  for (; pieces.Find(n, &piece); ++n) {
    for (int32_t j = piece.first; j < piece.first + piece.tokens; ++j) {
      for (int32_t tile = piece.first_tile; tile < piece.end_tile; ++tile) {
        const auto at = std::make_tuple(piece.span - step.spans.data(), piece.kv_head, j, tile);
        EXPECT_TRUE(work.insert(at).second) << "piece " << n << " repeats work";
      }
    }
  }
  *pieces_found = n;
  return work;
}

TEST(Pieces, CoverEveryTokenOnceHoweverTheWorkIsCut) {
  const Step step({{0, 70}, {300, 1}, {1000, 5}});
  int64_t unsplit = 0, split = 0, refused = 0;
  const Work one = AllWork(step, {2, 3, 16, 0}, 1, 1 << 20, &unsplit);
  const Work many = AllWork(step, {2, 3, 16, 0}, 16, 1 << 20, &split);
  EXPECT_EQ(one, many);
  EXPECT_GT(split, unsplit);
  EXPECT_EQ(unsplit, 2 * (5 + 1 + 1));
  EXPECT_EQ(AllWork(step, {2, 3, 16, 0}, 16, 10, &refused), one);
  EXPECT_EQ(refused, unsplit) << "ten parts are too few to split anything";
}

TEST(Pieces, GiveEachSplitItemItsOwnParts) {
  const Step step({{900, 1}, {500, 1}});
  Pieces pieces(step.batch, {2, 4, 12, 0}, 4, 1 << 20);
  Piece piece;
  std::set<int64_t> taken;
  for (int64_t n = 0; pieces.Find(n, &piece); ++n) {
    if (piece.pieces == 1) continue;
    const int64_t rows = int64_t{piece.tokens} * 4;
    for (int32_t tile = piece.first_tile; tile < piece.end_tile; ++tile) {
      for (int64_t r = 0; r < rows; ++r) {
        EXPECT_TRUE(
            taken.insert(piece.first_part + (tile - piece.item_first_tile) * rows + r).second);
      }
    }
  }
  EXPECT_GT(taken.size(), 0u);
}

TEST(Pieces, FindSkipsPiecesThatOtherLanesTook) {
  const Step step({{900, 1}, {100, 40}});
  const PieceShape shape = {3, 3, 16, 0};
  Pieces all(step.batch, shape, 8, 1 << 20), every_third(step.batch, shape, 8, 1 << 20);
  Piece expected, piece;
  int64_t n = 0;
  for (; all.Find(n, &expected); ++n) {
    if (n % 3 != 0) continue;
    ASSERT_TRUE(every_third.Find(n, &piece));
    EXPECT_EQ(piece.span, expected.span);
    EXPECT_EQ(piece.kv_head, expected.kv_head);
    EXPECT_EQ(piece.first, expected.first);
    EXPECT_EQ(piece.first_tile, expected.first_tile);
    EXPECT_EQ(piece.end_tile, expected.end_tile);
  }
  EXPECT_FALSE(every_third.Find(n, &piece));
  EXPECT_FALSE(every_third.Find(n + 100, &piece));
}

TEST(Pieces, LeaveOutTilesBehindTheWindow) {
  const Step step({{1000, 1}});
  Pieces pieces(step.batch, {1, 1, 48, 256}, 1, 0);
  Piece piece;
  ASSERT_TRUE(pieces.Find(0, &piece));
  EXPECT_EQ(piece.first_tile, (1000 - 255) / 128);
  EXPECT_EQ(piece.end_tile, 8);
}

TEST(VisibleSlots, CountTheWindowByPositionInATree) {
  Step step({{100, 3}});
  step.positions = {100, 101, 101};
  step.tree = {0b001, 0b011, 0b101};
  step.batch.tree_mask = step.tree.data();
  const cpu::RowView last = VisibleSlots(step.batch, step.spans[0], 2, 8);
  EXPECT_EQ(last.begin, 101 - 8 + 1);
  EXPECT_EQ(last.end, 103);
  EXPECT_EQ(last.hidden_first, 100);
  EXPECT_EQ(last.hidden & 0b111, 0b010u);
  const cpu::RowView narrow = VisibleSlots(step.batch, step.spans[0], 2, 1);
  EXPECT_EQ(narrow.begin, 100) << "slots of the step are hidden by the mask, not by the range";
  EXPECT_EQ(narrow.hidden & 0b111, 0b011u);
}

}  // namespace
}  // namespace tenon::attention
