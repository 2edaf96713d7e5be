// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::cpu {

// What of this computer the process may use: its processors and memory, within the limits of its
// control groups (v1 and v2) and its affinity mask.
class Machine {
 public:
  // Reads <root>/proc and <root>/sys; tests give a folder of their own.
  explicit Machine(std::string root = "");

  // Logical processors of the affinity mask, ascending; at least one.
  const std::vector<int32_t>& processors() const { return processors_; }
  // One logical processor of each physical core among them, ascending; at least one.
  const std::vector<int32_t>& cores() const { return cores_; }
  // Processors' worth of time that the control groups allow; 0 where there is no limit.
  double quota() const { return quota_; }
  // Lanes for `threads: auto`: cores(), but no more than the quota, rounded, at least 1.
  int32_t DefaultLanes() const;

  // Memory in all and now free for this process, in bytes. Page cache that can be dropped is free.
  uint64_t MemoryBytes() const;
  uint64_t FreeBytes() const;

 private:
  std::string root_;
  std::vector<std::string> memory_groups_;  // folders, innermost first
  bool version1_memory_ = false;
  std::vector<int32_t> processors_;
  std::vector<int32_t> cores_;
  double quota_ = 0;
};

// "AMD EPYC 9554 64-Core Processor"; "unknown processor" where it does not say.
std::string ProcessorName();

}  // namespace tenon::cpu
