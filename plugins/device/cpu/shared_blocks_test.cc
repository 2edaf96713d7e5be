// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/shared_blocks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "plugins/device/cpu/memory.h"

namespace tenon::cpu {
namespace {

constexpr uint64_t kBytes = uint64_t{8} << 20;

class SharedBlocksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/dev/shm/tenon-test-XXXXXX";
    if (mkdtemp(name) == nullptr) GTEST_SKIP() << "no /dev/shm here";
    folder_ = name;
    if (!ShareBlock(folder_, Block(1), kBytes)) {
      GTEST_SKIP() << "no huge pages for files here";
    }
  }
  ~SharedBlocksTest() override { std::filesystem::remove_all(folder_); }

  unsigned char* Block(int seed) {
    auto* block = static_cast<unsigned char*>(memory_.Allocate(kBytes));
    for (uint64_t i = 0; i < kBytes; ++i) {
      block[i] = static_cast<unsigned char>(i * 7 + i / 4096 + static_cast<uint64_t>(seed));
    }
    return block;
  }

  int Files() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      count += entry.is_regular_file();
    }
    return count;
  }

  HostMemory memory_{uint64_t{1} << 30};
  std::string folder_;
};

TEST_F(SharedBlocksTest, EqualBlocksAreOneFileAndOthersAnother) {
  EXPECT_EQ(Files(), 1);
  EXPECT_TRUE(ShareBlock(folder_, Block(1), kBytes));
  EXPECT_EQ(Files(), 1);
  EXPECT_TRUE(ShareBlock(folder_, Block(2), kBytes));
  EXPECT_EQ(Files(), 2);
}

TEST_F(SharedBlocksTest, KeepsTheBytesAndAWriteStaysPrivate) {
  unsigned char* a = Block(3);
  unsigned char* b = Block(3);
  ASSERT_TRUE(ShareBlock(folder_, a, kBytes));
  ASSERT_TRUE(ShareBlock(folder_, b, kBytes));
  EXPECT_EQ(std::memcmp(a, Block(3), kBytes), 0);
  a[5] ^= 0xff;
  EXPECT_NE(a[5], b[5]);
  unsigned char* c = Block(3);
  ASSERT_TRUE(ShareBlock(folder_, c, kBytes));
  EXPECT_EQ(std::memcmp(b, c, kBytes), 0);
  EXPECT_TRUE(memory_.Free(a));
  EXPECT_EQ(std::memcmp(b, c, kBytes), 0);
}

TEST_F(SharedBlocksTest, BlocksThatWereNeverTouchedAreLeft) {
  void* fresh = memory_.Allocate(kBytes);
  EXPECT_FALSE(ShareBlock(folder_, fresh, kBytes));
  EXPECT_EQ(Files(), 1);
}

TEST_F(SharedBlocksTest, AFileThatHoldsSomethingElseIsNotUsed) {
  unsigned char* block = Block(1);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    // As if two contents had one hash.
    const std::string path = entry.path();
    std::filesystem::remove(path);
    std::ofstream(path) << std::string(kBytes, 'x');
  }
  EXPECT_FALSE(ShareBlock(folder_, block, kBytes));
  EXPECT_EQ(std::memcmp(block, Block(1), kBytes), 0);
}

TEST_F(SharedBlocksTest, AFolderThatIsGoneLeavesTheBlock) {
  unsigned char* block = Block(4);
  EXPECT_FALSE(ShareBlock(folder_ + "/none", block, kBytes));
  EXPECT_EQ(std::memcmp(block, Block(4), kBytes), 0);
}

}  // namespace
}  // namespace tenon::cpu
