// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "apps/record/record_file.h"
#include "apps/record/recording_client.h"

namespace tenon::apps::record {

struct RecordOptions {
  std::string folder;       // made with mode 0700 where it is not there
  int64_t most_mib = 1024;  // of a run's files; beyond, the oldest is deleted
  int64_t most_waiting_bytes = int64_t{64} << 20;           // in memory, for the disk
  bool text = false;                                        // keep texts
  std::function<void(const std::string& text)> on_problem;  // for the log; from its thread
};

// Writes a run's requests, from a thread of its own. Where that or the disk is too slow or full,
// requests are left out and counted; nobody waits. Thread: any.
class RecordWriter final : public RequestSink {
 public:
  // What ids say, for people; nothing where texts are not kept.
  using TextOf = std::function<std::string(std::span<const int32_t> ids)>;

  // kIo where the folder or its first file cannot be made.
  static Result<std::unique_ptr<RecordWriter>> Open(RecordOptions options);
  // Writes what waits.
  ~RecordWriter() override;

  // Makes it known; its number, for requests. `text_of` is called on the writer's thread.
  int32_t AddEngine(RecordedEngine engine, TextOf text_of);
  void Keep(RecordedRequest request) override;

  Clock::time_point began() const { return began_; }
  const std::string& run() const { return run_; }
  bool text() const { return options_.text; }
  int64_t LeftOut() const;

 private:
  struct Known {
    RecordedEngine engine;
    TextOf text_of;
  };
  using Item = std::variant<RecordedRequest, Known>;

  explicit RecordWriter(RecordOptions options);
  std::string Head() const;
  void Loop();
  void Write(Item item);
  Result<void> Append(const std::string& line);
  void Finish(RecordedRequest& request) const;
  uint64_t Salted(uint64_t salt) const;
  void Warn(const std::string& why);

  const RecordOptions options_;
  const std::string run_;
  const std::string secret_;  // so that salts cannot be told from what is written
  const Clock::time_point began_ = Clock::now();

  // The thread's.
  RecordFiles files_;
  std::vector<Known> engines_;
  int64_t told_left_out_ = 0;
  bool warned_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> waiting_;
  int64_t waiting_bytes_ = 0;
  int64_t left_out_ = 0;
  int32_t next_engine_ = 0;
  bool stop_ = false;
  std::thread thread_;  // last: sees all of the above
};

}  // namespace tenon::apps::record
