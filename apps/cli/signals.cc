// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "tenon/result.h"

namespace tenon::apps {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
volatile int g_pipe = -1;

void OnSignal(int number) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(number);
  // A full pipe holds signals enough.
  if (write(g_pipe, &byte, 1) < 0) {
  }
  errno = error;
}

}  // namespace

Signals::Signals() {
  TENON_CHECK(pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) == 0);
  g_pipe = pipe_[1];
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &before_[i]);
}

Signals::~Signals() {
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  g_pipe = -1;
  close(pipe_[0]);
  close(pipe_[1]);
}

int Signals::Wait(std::chrono::milliseconds time) {
  pollfd waiting{pipe_[0], POLLIN, 0};
  if (poll(&waiting, 1, static_cast<int>(time.count())) <= 0) return 0;
  unsigned char number = 0;
  return read(pipe_[0], &number, 1) == 1 ? number : 0;
}

}  // namespace tenon::apps
