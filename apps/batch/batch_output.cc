// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/batch_output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace tenon::apps::batch {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;

}  // namespace

Error BatchOutput::Problem(const char* what) const {
  return {Status::kIo, fmt::format("{}: {} failed: {}", path_, what, std::strerror(errno))};
}

Result<std::unique_ptr<BatchOutput>> BatchOutput::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    return Error{Status::kIo, fmt::format("{}: cannot be written: {}", path, std::strerror(errno))};
  }
  std::unique_ptr<BatchOutput> output(new BatchOutput(path, file));
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    return Error{Status::kIo, fmt::format("{}: another run writes to it", path)};
  }
  TENON_RETURN_IF_ERROR(output->ReadFound());
  return output;
}

BatchOutput::~BatchOutput() { close(file_); }

Result<void> BatchOutput::ReadFound() {
  std::string rest;  // of the last line, so far
  std::string block(kBlockBytes, '\0');
  off_t good = 0;  // bytes in whole lines
  int64_t number = 0;
  for (;;) {
    const ssize_t got = read(file_, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Problem("reading");
    if (got == 0) break;
    rest.append(block.data(), static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      TENON_RETURN_IF_ERROR(Note(std::string_view(rest).substr(begin, end - begin), ++number));
      begin = end + 1;
    }
    good += static_cast<off_t>(begin);
    rest.erase(0, begin);
  }
  if (rest.empty()) return {};
  // Nobody else's text is cut.
  const size_t shared = std::min(rest.size(), kAnswerBegin.size());
  if (rest.compare(0, shared, kAnswerBegin.substr(0, shared)) != 0) return Note(rest, number + 1);
  if (ftruncate(file_, good) != 0) return Problem("cutting its torn last line");
  return {};
}

Result<void> BatchOutput::Note(std::string_view text, int64_t number) {
  BatchAnswer answer = ReadAnswer(text);
  if (!answer.ok) {
    return Error{Status::kInvalid,
                 fmt::format("{}:{}: not an answer that this command wrote; name another file for "
                             "the output, or move this one away",
                             path_, number)};
  }
  ++found_;
  if (answer.custom_id.empty()) {
    numbers_.insert(answer.number);
  } else {
    ids_.insert(std::move(answer.custom_id));
  }
  return {};
}

bool BatchOutput::Has(const BatchLine& line) const {
  return line.custom_id.empty() ? numbers_.contains(line.number) : ids_.contains(line.custom_id);
}

Result<void> BatchOutput::Append(const BatchLine& line, std::string_view answer) {
  while (!answer.empty()) {
    const ssize_t put = write(file_, answer.data(), answer.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Problem("writing");
    answer.remove_prefix(static_cast<size_t>(put));
  }
  if (line.custom_id.empty()) {
    numbers_.insert(line.number);
  } else {
    ids_.insert(line.custom_id);
  }
  return {};
}

Result<void> BatchOutput::Sync() {
  if (fsync(file_) != 0 && errno != EINVAL) return Problem("syncing");
  return {};
}

}  // namespace tenon::apps::batch
