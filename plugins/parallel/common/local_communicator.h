// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tenon/parallel.h"

namespace tenon::parallel {

// Ranks that are threads of one process and read each other's memory. Owns their communicators.
// Sending never waits: what is sent is copied. A collective on which the ranks disagree (its kind
// or its count) is kInvalid on all of them. In ReduceScatterSum and AllGather `to` overlaps no
// `from`. Threads: one at a time for each rank's communicator, all of them at once.
class LocalGroup {
 public:
  // REQUIRES: size >= 1.
  explicit LocalGroup(int32_t size);
  LocalGroup(const LocalGroup&) = delete;
  LocalGroup& operator=(const LocalGroup&) = delete;
  ~LocalGroup();

  // Lives as long as the group. REQUIRES: 0 <= rank < size.
  Communicator& Of(int32_t rank);

  // Lets every call, waiting or to come, return kCancelled: for a rank that cannot go on, so that
  // the others do not wait for it. Any thread.
  void Abandon();

 private:
  class Member;

  // What a rank shows the others while all are in the same collective.
  struct Showing {
    const float* from;
    float* to;
    uint64_t count;
    int kind;
  };

  // Waits until all ranks are here; kCancelled if the group is abandoned.
  Status Meet();
  // Publishes `showing` and meets; kInvalid on every rank where they do not ask for the same.
  Status Begin(int32_t rank, const Showing& showing);
  Status Put(int32_t from, int32_t to, const void* data, uint64_t bytes);
  Status Take(int32_t from, int32_t to, void* data, uint64_t bytes);

  const int32_t size_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<Showing> showings_;  // [size]; a rank writes its own before a meeting

  std::mutex mutex_;
  std::condition_variable changed_;
  bool abandoned_ = false;
  int32_t arrived_ = 0;
  uint64_t meetings_ = 0;
  std::map<std::pair<int32_t, int32_t>, std::deque<std::vector<char>>> mail_;  // (from, to)
};

}  // namespace tenon::parallel
