// SPDX-License-Identifier: Apache-2.0
#include "core/engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/engine/block_pool.h"

namespace tenon::core {
namespace {

constexpr PrefixSecret kSecret = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

Span<const int32_t> View(const std::vector<int32_t>& tokens) {
  return {tokens.data(), tokens.size()};
}

// Against `openssl mac -macopt size:16 SIPHASH`, key 00 01 … 0f, bytes 0, 1, 2, ….
TEST(PrefixKey, IsSipHash) {
  const std::vector<uint8_t> bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  EXPECT_EQ(SipHash(kSecret, {bytes.data(), 0}),
            (PrefixKey{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(SipHash(kSecret, {bytes.data(), 12}),
            (PrefixKey{0x58f35e9066b226d6, 0x25c13285f64d6382}));
}

TEST(PrefixKey, HashesTheBytesOfParentAndTokens) {
  for (const size_t count : {1U, 2U, 5U}) {
    const PrefixKey parent = {0x1122334455667788, 0x99aabbccddeeff00};
    std::vector<int32_t> tokens;
    std::vector<uint8_t> bytes;
    const auto add = [&](uint64_t value, int width) {
      for (int i = 0; i < width; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    };
    add(parent.low, 8);
    add(parent.high, 8);
    for (size_t i = 0; i < count; ++i) {
      tokens.push_back(static_cast<int32_t>(i * 7919 + 3));
      add(static_cast<uint64_t>(tokens.back()), 4);
    }
    EXPECT_EQ(NextKey(kSecret, parent, View(tokens)),
              SipHash(kSecret, {bytes.data(), bytes.size()}));
  }
}

TEST(PrefixKey, DependsOnSaltAdapterAndSecret) {
  const PrefixKey key = RootKey(kSecret, {5, 1});
  EXPECT_FALSE(key == RootKey(kSecret, {6, 1}));
  EXPECT_FALSE(key == RootKey(kSecret, {5, 2}));
  EXPECT_FALSE(key == RootKey({kSecret[0] + 1, kSecret[1]}, {5, 1}));
  EXPECT_NE(NewPrefixSecret(), NewPrefixSecret());
}

TEST(PrefixCache, FindsOnlyTheSameTokensBehindTheSameBlockOfTheSameOwner) {
  PrefixCache cache(8, 2);
  const PrefixKey first = {1, 0};
  const PrefixKey second = {2, 0};
  const PrefixOwner owner = {7, -1};
  ASSERT_TRUE(cache.Insert(3, first, owner, -1, View({10, 11})));
  ASSERT_TRUE(cache.Insert(4, second, owner, 3, View({12, 13})));
  EXPECT_EQ(cache.Find(first, owner, -1, View({10, 11})), 3);
  EXPECT_EQ(cache.Find(second, owner, 3, View({12, 13})), 4);
  // Keys that agree though what they stand for differs.
  EXPECT_EQ(cache.Find(first, owner, -1, View({10, 12})), -1);
  EXPECT_EQ(cache.Find(first, {8, -1}, -1, View({10, 11})), -1);
  EXPECT_EQ(cache.Find(first, {7, 0}, -1, View({10, 11})), -1);
  EXPECT_EQ(cache.Find(second, owner, -1, View({12, 13})), -1);
  EXPECT_FALSE(cache.Insert(5, first, owner, -1, View({20, 21})));
  EXPECT_EQ(cache.Size(), 2);
}

TEST(PrefixCache, ForgetsBlocksWhoseKeysShareAChain) {
  PrefixCache cache(40, 1);
  for (int32_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(cache.Insert(i, {static_cast<uint64_t>(i) * 1024, 0}, {}, -1, View({i})));
  }
  for (int32_t i = 0; i < 40; i += 3) cache.Erase(i);
  for (int32_t i = 0; i < 40; ++i) {
    EXPECT_EQ(cache.Peek({static_cast<uint64_t>(i) * 1024, 0}), i % 3 == 0 ? -1 : i);
    EXPECT_EQ(cache.Holds(i), i % 3 != 0);
  }
  cache.Clear();
  EXPECT_EQ(cache.Peek({1024, 0}), -1);
}

TEST(BlockPool, GivesFreePagesFirstThenTheOneUnusedForLongest) {
  BlockPool pool(4);
  const int32_t a = pool.Take();
  const int32_t b = pool.Take();
  const int32_t c = pool.Take();
  for (const int32_t block : {a, b, c}) pool.Keep(block);
  for (const int32_t block : {b, a, c}) pool.Release(block);
  EXPECT_EQ(pool.Free(), 4);
  pool.Share(b);  // in use again, and then the newest
  EXPECT_EQ(pool.Free(), 3);
  pool.Release(b);
  EXPECT_EQ(pool.NextToGo(), -1);
  EXPECT_EQ(pool.Take(), 3);
  EXPECT_EQ(pool.NextToGo(), a);
  EXPECT_EQ(pool.Take(), a);
  EXPECT_EQ(pool.Take(), c);
  EXPECT_EQ(pool.Take(), b);
  EXPECT_EQ(pool.Free(), 0);
  EXPECT_FALSE(pool.Kept(a));
}

TEST(BlockPool, FreesAnUnusedPageThatIsNoLongerKept) {
  BlockPool pool(2);
  const int32_t a = pool.Take();
  pool.Keep(a);
  pool.Release(a);
  EXPECT_EQ(pool.Unused(), 1);
  pool.Unkeep(a);
  EXPECT_EQ(pool.Unused(), 0);
  EXPECT_EQ(pool.Free(), 2);
  EXPECT_EQ(pool.Take(), a);
}

}  // namespace
}  // namespace tenon::core
