// SPDX-License-Identifier: Apache-2.0
#include "apps/record/record_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace tenon::apps::record {
namespace {

constexpr int64_t kMostFileBytes = int64_t{64} << 20;
constexpr int64_t kLeastFileBytes = int64_t{1} << 16;
constexpr int64_t kFiles = 8;  // that share the limit

}  // namespace

std::string RecordFileName(const std::string& run, int64_t number) {
  return fmt::format("{}-{:04}.jsonl", run, number);
}

RecordFiles::RecordFiles(std::string folder, std::string run, int64_t most_bytes)
    : folder_(std::move(folder)),
      run_(std::move(run)),
      most_bytes_(most_bytes),
      file_bytes_(std::clamp(most_bytes / kFiles, kLeastFileBytes, kMostFileBytes)) {}

RecordFiles::~RecordFiles() { End(); }

void RecordFiles::End() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

Error RecordFiles::Problem(const char* what) const {
  return {Status::kIo, fmt::format("{}: {}: {}", files_.empty() ? folder_ : files_.back().path,
                                   what, std::strerror(errno))};
}

Result<void> RecordFiles::Begin(std::string_view head) {
  const std::string path = folder_ + "/" + RecordFileName(run_, number_ + 1);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) {
    return Error{Status::kIo, fmt::format("{}: cannot be made: {}", path, std::strerror(errno))};
  }
  End();
  file_ = file;
  files_.push_back({path, 0});
  if (auto appended = Append(head); !appended.ok()) {
    End();
    unlink(path.c_str());
    files_.pop_back();
    return appended;
  }
  ++number_;
  return {};
}

bool RecordFiles::Full(std::string_view line) const {
  return file_ < 0 || (files_.back().bytes > 0 &&
                       files_.back().bytes + static_cast<int64_t>(line.size()) > file_bytes_);
}

Result<void> RecordFiles::Append(std::string_view line) {
  File& now = files_.back();
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t put = write(file_, rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const Error problem = Problem("cannot be written");
      // Half a line would spoil those behind it.
      if (ftruncate(file_, now.bytes) != 0) return Problem("cannot be cut");
      return problem;
    }
    rest.remove_prefix(static_cast<size_t>(put));
  }
  now.bytes += static_cast<int64_t>(line.size());
  bytes_ += static_cast<int64_t>(line.size());
  while (bytes_ > most_bytes_ && files_.size() > 1) {
    bytes_ -= files_.front().bytes;
    unlink(files_.front().path.c_str());
    files_.pop_front();
  }
  return {};
}

}  // namespace tenon::apps::record
