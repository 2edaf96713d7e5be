// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/engine/offload_file.h"

namespace tenon::core {

// Writes slots of an OffloadFile on a thread of its own, in the order in which they come, so that a
// slow disk holds up no step. What waits can be read. Thread: one.
class OffloadWriter {
 public:
  // The file outlives it. `before_write`, if any, is called on its thread: for tests.
  OffloadWriter(OffloadFile& file, std::function<void()> before_write);
  // Writes what waits.
  ~OffloadWriter();

  // Whether so many bytes more may wait. One block always may.
  bool HasRoom(uint64_t bytes) const;
  void Write(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens,
             Span<const char> bytes);
  void Clear(int32_t slot);

  enum class Waiting { kNothing, kOther, kThis };
  // What the slot is to hold once all is written: nothing that waits (the file says), another entry
  // or none, or just this one with these tokens, which is copied to `bytes`.
  Waiting Find(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens,
               Span<char> bytes) const;

  // Slots and entries that the system did not take since the last call.
  struct Failure {
    int32_t slot;
    PrefixKey key;
  };
  std::vector<Failure> TakeFailures();
  // Waits until everything is written.
  void Flush();

 private:
  struct Job {
    int32_t slot;
    OffloadEntry entry;           // without tokens: clears the slot
    std::vector<int32_t> tokens;  // of the whole prefix
    std::vector<char> bytes;
  };

  void Add(Job job);
  void Run();

  OffloadFile& file_;
  const std::function<void()> before_write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the first is being written
  uint64_t waiting_bytes_ = 0;
  std::vector<Failure> failures_;
  bool stop_ = false;
  std::thread thread_;  // last: sees all of the above
};

}  // namespace tenon::core
