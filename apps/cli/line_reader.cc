// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace tenon::apps {
namespace {

constexpr size_t kBlockBytes = 65536;
constexpr int kWaitMs = 100;  // between two looks at `stop`

}  // namespace

LineReader::Filled LineReader::Fill(int wait_ms) {
  pollfd waited{descriptor_, POLLIN, 0};
  const int ready = poll(&waited, 1, wait_ms);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return Filled::kNothing;
  if (ready < 0) return Filled::kFailed;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t size = buffer_.size();
  buffer_.resize(size + kBlockBytes);
  const ssize_t got = read(descriptor_, buffer_.data() + size, kBlockBytes);
  buffer_.resize(size + static_cast<size_t>(got > 0 ? got : 0));
  if (got > 0) return Filled::kMore;
  if (got < 0) return errno == EINTR || errno == EAGAIN ? Filled::kNothing : Filled::kFailed;
  ended_ = true;
  return Filled::kEnd;
}

LineReader::Got LineReader::Next(std::string* line, const volatile bool* stop) {
  size_t end = buffer_.find('\n', begin_);
  while (end == std::string::npos && !ended_) {
    if (*stop) return Got::kStopped;
    if (buffer_.size() - begin_ > most_) break;
    if (Fill(kWaitMs) == Filled::kFailed) return Got::kFailed;
    end = buffer_.find('\n', begin_);
  }
  if (end == std::string::npos) end = buffer_.size();
  if (begin_ == buffer_.size()) return *stop ? Got::kStopped : Got::kEnd;
  ++number_;
  if (end - begin_ > most_) return Got::kTooLong;
  line->assign(buffer_, begin_, end - begin_);
  if (!line->empty() && line->back() == '\r') line->pop_back();
  begin_ = end < buffer_.size() ? end + 1 : end;
  return Got::kLine;
}

bool LineReader::Ready() {
  while (!ended_ && !HasLine() && buffer_.size() - begin_ <= most_) {
    if (Fill(0) != Filled::kMore) return ended_;
  }
  return true;
}

}  // namespace tenon::apps
