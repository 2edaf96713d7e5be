// SPDX-License-Identifier: Apache-2.0
#include "text/pair_merger.h"

#include <gtest/gtest.h>

#include <map>

#include "text/testing/long_texts.h"
#include "text/testing/vocabularies.h"
#include "text/token_map.h"

namespace tenon::text {
namespace {

using Ranks = std::map<std::pair<int32_t, int32_t>, std::pair<uint32_t, int32_t>>;

// The definition: merge the pair of the lowest rank, the leftmost of equals, until none is left.
std::vector<int32_t> MergeByDefinition(std::vector<int32_t> ids, const Ranks& ranks) {
  while (true) {
    size_t best = ids.size();
    uint32_t best_rank = Merge::kNever;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found != ranks.end() && found->second.first < best_rank) {
        best = i;
        best_rank = found->second.first;
      }
    }
    if (best == ids.size()) return ids;
    ids[best] = ranks.at({ids[best], ids[best + 1]}).second;
    ids.erase(ids.begin() + static_cast<int64_t>(best) + 1);
  }
}

std::vector<int32_t> MergeByMerger(const std::vector<int32_t>& ids, const Ranks& ranks,
                                   PairMerger* merger) {
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < ids.size(); ++i) symbols.push_back({static_cast<uint32_t>(i), ids[i]});
  merger->Run(&symbols, static_cast<uint32_t>(ids.size()), [&](const Pair& pair) {
    const auto found = ranks.find({pair.left, pair.right});
    return found == ranks.end() ? Merge{} : Merge{found->second.first, found->second.second};
  });
  std::vector<int32_t> merged;
  for (const Symbol& symbol : symbols) merged.push_back(symbol.id);
  return merged;
}

// Random merges, not those of a trained vocabulary: ranks may tie, and a pair may merge into a
// token of lower rank.
TEST(PairMerger, FollowsTheDefinitionForAnyRanksAndLengths) {
  testing::Random random(1);
  PairMerger merger;
  for (int round = 0; round < 300; ++round) {
    const size_t letters = 1 + random.Below(4), tokens = letters + random.Below(40);
    Ranks ranks;
    for (size_t id = letters; id < tokens; ++id) {
      const auto left = static_cast<int32_t>(random.Below(id)),
                 right = static_cast<int32_t>(random.Below(id));
      const auto rank = static_cast<uint32_t>(random.Below(round % 2 == 0 ? 1000 : 3));
      ranks.emplace(std::pair(left, right), std::pair(rank, static_cast<int32_t>(id)));
    }
    for (const size_t length : {0, 1, 2, 23, 24, 25, 60, 200}) {
      std::vector<int32_t> ids;
      while (ids.size() < length) ids.push_back(static_cast<int32_t>(random.Below(letters)));
      ASSERT_EQ(MergeByMerger(ids, ranks, &merger), MergeByDefinition(ids, ranks))
          << round << " " << length;
    }
  }
}

// Work, not time, which other processes share: looking up pairs, and steps of queues.
TEST(PairMerger, DoublesItsWorkWithTheLengthOfAWord) {
  const Vocabulary v = testing::ReadExtract("smollm2-extract").vocabulary;
  std::map<std::string, int32_t> ids;
  for (size_t id = 0; id < v.tokens.size(); ++id) ids[v.tokens[id]] = static_cast<int32_t>(id);
  MergeMap merges(v.merges.size());
  for (size_t rank = 0; rank < v.merges.size(); ++rank) {
    const size_t space = v.merges[rank].find(' ');
    const std::string left = v.merges[rank].substr(0, space),
                      right = v.merges[rank].substr(space + 1);
    merges.Insert(ids.at(left), ids.at(right), static_cast<uint32_t>(rank), ids.at(left + right));
  }
  const auto work = [&](const std::string& word) {
    std::vector<Symbol> symbols;
    for (uint32_t i = 0; i < word.size(); ++i) {
      const auto found = ids.find(testing::Gpt2Letters(word.substr(i, 1)));
      symbols.push_back({i, found == ids.end() ? -1 : found->second});
    }
    PairMerger merger;
    merger.Run(&symbols, static_cast<uint32_t>(word.size()), [&](const Pair& pair) {
      const MergeMap::Entry* merge = merges.Find(pair.left, pair.right);
      return merge == nullptr ? Merge{} : Merge{merge->rank, merge->merged};
    });
    return static_cast<double>(merger.work());
  };
  for (const testing::LongText& kind : testing::LongTexts()) {
    const double once = work(testing::Make(kind, size_t{1} << 16)),
                 twice = work(testing::Make(kind, size_t{1} << 17));
    EXPECT_LE(twice, 2.1 * once) << kind.name;
    EXPECT_LE(once, 16.0 * (size_t{1} << 16)) << kind.name;
  }
}

}  // namespace
}  // namespace tenon::text
