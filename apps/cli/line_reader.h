// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tenon::apps {

// Lines of a file descriptor, with a limit on their length, and able to say whether one is there.
// Memory: one line and one block. Thread: one.
class LineReader {
 public:
  enum class Got {
    kLine,
    kEnd,
    kTooLong,  // the line has more bytes than the limit; nothing more can be read
    kStopped,  // `stop` was set while it waited
    kFailed,   // errno says why
  };

  LineReader(int descriptor, size_t most_bytes) : descriptor_(descriptor), most_(most_bytes) {}

  // Waits for the next line, without its end ("\n" or "\r\n"); a last line may lack it.
  Got Next(std::string* line, const volatile bool* stop);

  // Whether Next would answer without waiting.
  bool Ready();

  int64_t Number() const { return number_; }  // of the line that Next gave last, from 1

 private:
  enum class Filled { kMore, kNothing, kEnd, kFailed };

  bool HasLine() const { return buffer_.find('\n', begin_) != std::string::npos; }
  Filled Fill(int wait_ms);

  const int descriptor_;
  const size_t most_;
  std::string buffer_;
  size_t begin_ = 0;  // of what Next has not given yet
  bool ended_ = false;
  int64_t number_ = 0;
};

}  // namespace tenon::apps
