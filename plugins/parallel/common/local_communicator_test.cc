// SPDX-License-Identifier: Apache-2.0
#include "plugins/parallel/common/local_communicator.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

namespace tenon::parallel {
namespace {

// Runs `body` on one thread a rank.
void OnEveryRank(LocalGroup& group, int32_t size, const std::function<void(Communicator&)>& body) {
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] { body(group.Of(rank)); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(LocalCommunicator, SumsInRankOrderOnEveryRank) {
  constexpr int32_t kSize = 4;
  constexpr uint64_t kCount = 37;
  LocalGroup group(kSize);
  // In float the sum of these depends on the order.
  const float parts[kSize] = {1e8f, 1.0f, -1e8f, 0.5f};
  std::vector<std::vector<float>> values(kSize);
  OnEveryRank(group, kSize, [&](Communicator& me) {
    std::vector<float>& mine = values[me.Rank()];
    mine.assign(kCount, parts[me.Rank()]);
    mine[5] = static_cast<float>(me.Rank());
    for (int round = 0; round < 50; ++round) {
      std::vector<float> again(kCount, 1.0f);
      EXPECT_EQ(me.AllReduceSum(again.data(), kCount, nullptr), Status::kOk);
      EXPECT_EQ(again[36], kSize);
    }
    EXPECT_EQ(me.AllReduceSum(mine.data(), kCount, nullptr), Status::kOk);
  });
  const float expected = ((parts[0] + parts[1]) + parts[2]) + parts[3];
  for (const std::vector<float>& mine : values) {
    EXPECT_EQ(mine[0], expected);
    EXPECT_EQ(mine[5], 6);
    EXPECT_EQ(mine[36], expected);
  }
}

TEST(LocalCommunicator, GathersAndScatters) {
  constexpr int32_t kSize = 3;
  LocalGroup group(kSize);
  OnEveryRank(group, kSize, [&](Communicator& me) {
    const float rank = static_cast<float>(me.Rank());
    const std::vector<float> mine = {rank, rank + 10};
    std::vector<float> all(6);
    EXPECT_EQ(me.AllGather(mine.data(), all.data(), 2, nullptr), Status::kOk);
    EXPECT_EQ(all, (std::vector<float>{0, 10, 1, 11, 2, 12}));
    std::vector<float> part(2);
    EXPECT_EQ(me.ReduceScatterSum(all.data(), part.data(), 2, nullptr), Status::kOk);
    EXPECT_EQ(part, (std::vector<float>{3 * rank, 3 * (rank + 10)}));
  });
}

TEST(LocalCommunicator, SendsInOrderAndWithoutWaiting) {
  LocalGroup group(2);
  OnEveryRank(group, 2, [&](Communicator& me) {
    const int32_t other = 1 - me.Rank();
    for (int32_t i = 0; i < 20; ++i) {
      const int32_t sent = me.Rank() * 100 + i;
      EXPECT_EQ(me.Send(other, &sent, sizeof(sent), nullptr), Status::kOk);
    }
    for (int32_t i = 0; i < 20; ++i) {
      int32_t got = -1;
      EXPECT_EQ(me.Receive(other, &got, sizeof(got), nullptr), Status::kOk);
      EXPECT_EQ(got, other * 100 + i);
    }
  });
}

TEST(LocalCommunicator, RefusesWhatRanksDisagreeOn) {
  LocalGroup group(2);
  OnEveryRank(group, 2, [&](Communicator& me) {
    std::vector<float> values(8, 1);
    EXPECT_EQ(me.AllReduceSum(values.data(), me.Rank() == 0 ? 4 : 8, nullptr), Status::kInvalid);
    EXPECT_EQ(me.AllReduceSum(values.data(), 8, nullptr), Status::kOk);
    EXPECT_EQ(values[7], 2);
    const char byte = 1;
    EXPECT_EQ(me.Send(2, &byte, 1, nullptr), Status::kInvalid);
    EXPECT_EQ(me.Send(1 - me.Rank(), &byte, 1, nullptr), Status::kOk);
    int32_t wide = 0;
    EXPECT_EQ(me.Receive(1 - me.Rank(), &wide, sizeof(wide), nullptr), Status::kInvalid);
    EXPECT_EQ(me.Receive(-1, &wide, sizeof(wide), nullptr), Status::kInvalid);
  });
}

TEST(LocalCommunicator, LetsNobodyWaitForALostRank) {
  LocalGroup group(3);
  OnEveryRank(group, 3, [&](Communicator& me) {
    float value = 1;
    if (me.Rank() == 0) {
      group.Abandon();
    } else if (me.Rank() == 1) {
      EXPECT_EQ(me.AllReduceSum(&value, 1, nullptr), Status::kCancelled);
    } else {
      EXPECT_EQ(me.Receive(0, &value, sizeof(value), nullptr), Status::kCancelled);
    }
  });
  float value = 1;
  EXPECT_EQ(group.Of(0).Send(1, &value, sizeof(value), nullptr), Status::kCancelled);
}

TEST(LocalCommunicator, OfOneRankChangesNothing) {
  LocalGroup group(1);
  std::vector<float> values = {1, 2, 3};
  EXPECT_EQ(group.Of(0).AllReduceSum(values.data(), 3, nullptr), Status::kOk);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3}));
}

}  // namespace
}  // namespace tenon::parallel
