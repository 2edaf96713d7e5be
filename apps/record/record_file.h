// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::apps::record {

// The files of one run: lines, appended. Each file begins with a head and the lines that the rest
// needs, so that it can be read without those before it. Thread: one.
class RecordFiles {
 public:
  // `most_bytes`: of all files together; beyond, the oldest is deleted.
  RecordFiles(std::string folder, std::string run, int64_t most_bytes);
  ~RecordFiles();
  RecordFiles(const RecordFiles&) = delete;
  RecordFiles& operator=(const RecordFiles&) = delete;

  // Begins the next file with `head`; mode 0600. kIo where it cannot be made or written.
  Result<void> Begin(std::string_view head);
  // Whether another file is due before `line`.
  bool Full(std::string_view line) const;
  // On failure nothing of the line is left in the file, unless the disk itself is broken.
  Result<void> Append(std::string_view line);

  // What comes now begins another file.
  void End();

  int64_t number() const { return number_; }  // of the file that is open, from 1; 0: none

 private:
  struct File {
    std::string path;
    int64_t bytes;
  };

  Error Problem(const char* what) const;

  const std::string folder_;
  const std::string run_;
  const int64_t most_bytes_;
  const int64_t file_bytes_;
  std::deque<File> files_;
  int64_t bytes_ = 0;  // of all
  int64_t number_ = 0;
  int file_ = -1;
};

// "RUN-0001.jsonl".
std::string RecordFileName(const std::string& run, int64_t number);

}  // namespace tenon::apps::record
