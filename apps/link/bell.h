// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

namespace tenon::apps::link {

// Wakes a thread that polls `file()` for reading. Rings from any thread, also when that one is
// gone.
class Bell {
 public:
  Bell() : file_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Bell() { close(file_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  void Ring() const { eventfd_write(file_, 1); }
  void Silence() const {
    eventfd_t rung = 0;
    eventfd_read(file_, &rung);
  }
  int file() const { return file_; }

 private:
  const int file_;
};

}  // namespace tenon::apps::link
