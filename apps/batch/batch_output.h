// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "apps/batch/batch_line.h"
#include "tenon/result.h"

namespace tenon::apps::batch {

// The answers of a batch, appended to a file as they come; what an earlier run wrote is kept. One
// writer at a time. One thread.
class BatchOutput {
 public:
  // Opens or makes the file and reads which lines it answers. A torn last line, which a run left
  // that was ended while it wrote, is cut. kInvalid, with the line, where the file holds something
  // else, which is left alone; kIo where another run has it.
  static Result<std::unique_ptr<BatchOutput>> Open(const std::string& path);
  ~BatchOutput();
  BatchOutput(const BatchOutput&) = delete;
  BatchOutput& operator=(const BatchOutput&) = delete;

  // Whether the line is answered already.
  bool Has(const BatchLine& line) const;

  // Appends an answer as one write.
  Result<void> Append(const BatchLine& line, std::string_view answer);

  // Returns when the disk has it all.
  Result<void> Sync();

  int64_t found() const { return found_; }  // answers of earlier runs

 private:
  BatchOutput(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Result<void> ReadFound();
  Result<void> Note(std::string_view text, int64_t number);
  Error Problem(const char* what) const;

  const std::string path_;
  const int file_;
  std::unordered_set<std::string> ids_;
  std::unordered_set<int64_t> numbers_;  // of lines without an id
  int64_t found_ = 0;
};

}  // namespace tenon::apps::batch
