// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/machine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "plugins/device/cpu/memory.h"

namespace tenon::cpu {
namespace {

// A root folder with the files of /proc and /sys that a test wants.
class FakeRoot {
 public:
  explicit FakeRoot(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("tenon_machine_" + name)) {
    std::filesystem::remove_all(path_);
    Write("/proc/meminfo", "MemTotal:  8000 kB\nMemFree: 1 kB\nMemAvailable:   6000 kB\n");
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  void Write(const std::string& file, const std::string& text) const {
    const std::filesystem::path to(path_.string() + file);
    std::filesystem::create_directories(to.parent_path());
    std::ofstream(to) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

constexpr uint64_t kKiB = 1024;

TEST(Machine, TakesTheWholeComputerWhereNothingLimitsIt) {
  const FakeRoot root("bare");
  const Machine machine(root.path());
  EXPECT_EQ(machine.MemoryBytes(), 8000 * kKiB);
  EXPECT_EQ(machine.FreeBytes(), 6000 * kKiB);
  EXPECT_EQ(machine.quota(), 0);
  EXPECT_EQ(machine.DefaultLanes(), static_cast<int32_t>(machine.cores().size()));
}

TEST(Machine, RespectsTheTightestVersion2Group) {
  const FakeRoot root("v2");
  root.Write("/proc/self/cgroup", "0::/a/b\n");
  root.Write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  root.Write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  root.Write("/sys/fs/cgroup/a/memory.max", "4096000\n");
  root.Write("/sys/fs/cgroup/a/memory.current", "3000000\n");
  root.Write("/sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 1000000\n");
  root.Write("/sys/fs/cgroup/a/cpu.max", "120000 100000\n");
  const Machine machine(root.path());
  EXPECT_EQ(machine.MemoryBytes(), 4096000u);
  EXPECT_EQ(machine.FreeBytes(), 2096000u);
  EXPECT_DOUBLE_EQ(machine.quota(), 1.2);
  EXPECT_EQ(machine.DefaultLanes(), 1);
}

TEST(Machine, ReadsVersion1GroupsWhosePathIsNotMounted) {
  const FakeRoot root("v1");
  root.Write("/proc/self/cgroup", "9:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n");
  root.Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "5000000\n");
  root.Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
  root.Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  root.Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const Machine machine(root.path());
  EXPECT_EQ(machine.MemoryBytes(), 5000000u);
  EXPECT_EQ(machine.FreeBytes(), 4000000u);
  EXPECT_DOUBLE_EQ(machine.quota(), 0.5);
  EXPECT_EQ(machine.DefaultLanes(), 1);
  root.Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Machine(root.path()).quota(), 0);
}

TEST(Machine, CountsSiblingsOfACoreOnce) {
  const FakeRoot root("smt");
  const Machine real;
  for (const int32_t cpu : real.processors()) {
    root.Write(
        "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
        "0-9999\n");
  }
  EXPECT_EQ(Machine(root.path()).cores().size(), 1u);
}

TEST(Machine, SurvivesNonsense) {
  const FakeRoot root("nonsense");
  root.Write("/proc/meminfo", "MemTotal\nMemAvailable: lots\n");
  root.Write("/proc/self/cgroup", "\n:\n0::nowhere\nx:memory\n");
  root.Write("/sys/fs/cgroup/cpu.max", "1 0");
  root.Write("/sys/fs/cgroup/memory.max", "99999999999999999999999999");
  const Machine machine(root.path());
  EXPECT_EQ(machine.MemoryBytes(), 0u);
  EXPECT_EQ(machine.FreeBytes(), 0u);
  EXPECT_GE(machine.DefaultLanes(), 1);
  EXPECT_FALSE(ProcessorName().empty());
}

TEST(HostMemory, GivesZeroedAlignedBlocksAgainAndAgain) {
  HostMemory memory(uint64_t{1} << 30);
  for (const uint64_t bytes :
       {uint64_t{1}, uint64_t{100}, uint64_t{300} << 10, uint64_t{9} << 20}) {
    for (int round = 0; round < 3; ++round) {
      char* block = static_cast<char*>(memory.Allocate(bytes));
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
      for (uint64_t i = 0; i < bytes; i += 61) ASSERT_EQ(block[i], 0);
      EXPECT_EQ(block[bytes - 1], 0);
      std::memset(block, 1, bytes);
      EXPECT_TRUE(memory.Free(block));
    }
  }
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(HostMemory, RefusesMoreThanThereIsAndWhatIsNotItsOwn) {
  HostMemory memory(uint64_t{64} << 20);
  EXPECT_EQ(memory.Allocate(0), nullptr);
  EXPECT_EQ(memory.Allocate(UINT64_MAX), nullptr);
  EXPECT_EQ(memory.Allocate((uint64_t{64} << 20) + 1), nullptr);
  void* most = memory.Allocate(uint64_t{60} << 20);
  ASSERT_NE(most, nullptr);
  EXPECT_EQ(memory.Allocate(uint64_t{5} << 20), nullptr);
  int local = 0;
  EXPECT_FALSE(memory.Free(&local));
  EXPECT_TRUE(memory.Free(nullptr));
  EXPECT_TRUE(memory.Free(most));
  EXPECT_FALSE(memory.Free(most));
  EXPECT_NE(memory.Allocate(uint64_t{5} << 20), nullptr) << "freed by the destructor";
}

}  // namespace
}  // namespace tenon::cpu
