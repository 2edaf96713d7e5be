// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/machine.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tenon::cpu {
namespace {

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The number that `text` starts with; kNone where it starts with none ("max", nothing).
uint64_t Number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() ? value : kNone;
}

// The number behind `key` at the start of a line of the file; kNone where there is no such line.
uint64_t Field(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.compare(0, key.size(), key) == 0)
      return Number(std::string_view(line).substr(key.size()));
  }
  return kNone;
}

// Whether `word` is one of the comma-separated `names`.
bool Lists(std::string_view names, std::string_view word) {
  while (!names.empty()) {
    const size_t comma = std::min(names.find(','), names.size());
    if (names.substr(0, comma) == word) return true;
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return false;
}

// The folders of this process's control group for `controller` ("" is version 2), innermost first.
// In a container the path may lie outside what is mounted: the mount's own root is always the last.
std::vector<std::string> GroupFolders(const std::string& root, std::string_view controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line, path, mount;
  while (std::getline(file, line) && mount.empty()) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? !names.empty() : !Lists(names, controller)) continue;
    path = line.substr(second + 1);
    mount = root + "/sys/fs/cgroup";
    if (!controller.empty()) mount.append("/").append(controller);
  }
  std::vector<std::string> folders;
  if (mount.empty()) return folders;
  while (path.size() > 1 && path.front() == '/') {
    folders.push_back(mount + path);
    path.resize(path.rfind('/'));
  }
  folders.push_back(mount);
  return folders;
}

double QuotaOf(uint64_t quota, uint64_t period) {
  if (quota == kNone || period == kNone || period == 0) return 0;
  return static_cast<double>(quota) / static_cast<double>(period);
}

double CpuQuota(const std::string& root) {
  double least = 0;
  const auto take = [&least](double quota) {
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
  };
  for (const std::string& folder : GroupFolders(root, "")) {
    const std::string line = FirstLine(folder + "/cpu.max");  // "200000 100000" or "max 100000"
    const size_t space = line.find(' ');
    if (space != std::string::npos) take(QuotaOf(Number(line), Number(line.substr(space))));
  }
  for (const std::string& folder : GroupFolders(root, "cpu")) {  // -1 is no limit
    take(QuotaOf(Number(FirstLine(folder + "/cpu.cfs_quota_us")),
                 Number(FirstLine(folder + "/cpu.cfs_period_us"))));
  }
  return least;
}

std::vector<int32_t> AffinityMask() {
  std::vector<int32_t> processors;
  for (size_t most = 1024; most <= (size_t{1} << 20); most *= 4) {
    cpu_set_t* set = CPU_ALLOC(most);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(most);
    const bool got = sched_getaffinity(0, bytes, set) == 0;
    for (size_t cpu = 0; got && cpu < most; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, set)) processors.push_back(static_cast<int32_t>(cpu));
    }
    CPU_FREE(set);
    if (got) break;
  }
  if (processors.empty()) processors.push_back(0);
  return processors;
}

std::vector<int32_t> OnePerCore(const std::string& root, const std::vector<int32_t>& processors) {
  std::set<std::string> seen;
  std::vector<int32_t> cores;
  for (const int32_t cpu : processors) {
    const std::string siblings = FirstLine(root + "/sys/devices/system/cpu/cpu" +
                                           std::to_string(cpu) + "/topology/thread_siblings_list");
    if (siblings.empty() || seen.insert(siblings).second) cores.push_back(cpu);
  }
  return cores;
}

}  // namespace

Machine::Machine(std::string root) : root_(std::move(root)) {
  processors_ = AffinityMask();
  cores_ = OnePerCore(root_, processors_);
  quota_ = CpuQuota(root_);
  memory_groups_ = GroupFolders(root_, "memory");
  version1_memory_ = !memory_groups_.empty();
  if (!version1_memory_) memory_groups_ = GroupFolders(root_, "");
}

int32_t Machine::DefaultLanes() const {
  const double cores = static_cast<double>(cores_.size());
  const double allowed = quota_ > 0 ? std::min(cores, std::round(quota_)) : cores;
  return std::max(1, static_cast<int32_t>(allowed));
}

uint64_t Machine::MemoryBytes() const {
  const uint64_t total_kb = Field(root_ + "/proc/meminfo", "MemTotal:");
  uint64_t least = total_kb == kNone ? kNone : total_kb * 1024;
  const char* limit = version1_memory_ ? "/memory.limit_in_bytes" : "/memory.max";
  for (const std::string& folder : memory_groups_) {
    least = std::min(least, Number(FirstLine(folder + limit)));
  }
  return least == kNone ? 0 : least;
}

uint64_t Machine::FreeBytes() const {
  const uint64_t available_kb = Field(root_ + "/proc/meminfo", "MemAvailable:");
  uint64_t least = available_kb == kNone ? kNone : available_kb * 1024;
  const std::string limit = version1_memory_ ? "/memory.limit_in_bytes" : "/memory.max";
  const std::string usage = version1_memory_ ? "/memory.usage_in_bytes" : "/memory.current";
  const char* cache = version1_memory_ ? "total_inactive_file " : "inactive_file ";
  for (const std::string& folder : memory_groups_) {
    const uint64_t allowed = Number(FirstLine(folder + limit));
    uint64_t used = Number(FirstLine(folder + usage));
    if (allowed == kNone || used == kNone) continue;
    const uint64_t droppable = Field(folder + "/memory.stat", cache);
    if (droppable != kNone) used -= std::min(used, droppable);
    least = std::min(least, allowed - std::min(allowed, used));
  }
  return least == kNone ? 0 : least;
}

std::string ProcessorName() {
#if defined(__x86_64__)
  unsigned words[12] = {};
  bool known = true;
  for (unsigned i = 0; i < 3; ++i) {
    unsigned* r = words + 4 * i;
    known = known && __get_cpuid(0x80000002u + i, r, r + 1, r + 2, r + 3) != 0;
  }
  char text[sizeof(words) + 1] = {};
  std::memcpy(text, words, sizeof(words));
  std::istringstream parts(known ? text : "");
  std::string name, part;
  while (parts >> part) name += (name.empty() ? "" : " ") + part;
  if (!name.empty()) return name;
#endif
  return "unknown processor";
}

}  // namespace tenon::cpu
