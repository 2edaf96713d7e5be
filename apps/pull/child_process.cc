// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>

namespace tenon::apps {
namespace {

constexpr size_t kKeptBytes = 16 << 10;
constexpr int kTickMilliseconds = 100;
constexpr auto kGrace = std::chrono::seconds(2);  // from SIGTERM to SIGKILL

struct Pipe {
  int read = -1;
  int write = -1;

  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  void CloseRead() { CloseEnd(read); }
  void CloseWrite() { CloseEnd(write); }

 private:
  static void CloseEnd(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const ChildProcess& child) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : child.environment) {
      replaced = replaced || text.compare(0, name.size() + 1, name + "=") == 0;
    }
    if (!replaced) all.push_back(text);
  }
  for (const auto& [name, value] : child.environment) all.push_back(name + "=" + value);
  return all;
}

// In the child between fork and exec: nothing here may allocate or take a lock.
[[noreturn]] void Become(char** command, char** environment, int output, int report, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  for (int number : {SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGHUP}) {
    sigaction(number, &by_default, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvpe(command[0], command, environment);
  const int why = errno;
  [[maybe_unused]] const ssize_t wrote = write(report, &why, sizeof(why));
  _exit(127);
}

// Takes what is there; false once every writer has closed its end.
bool Drain(int descriptor, std::string& kept) {
  char piece[4096];
  for (;;) {
    const ssize_t got = read(descriptor, piece, sizeof(piece));
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    kept.append(piece, static_cast<size_t>(got));
    if (kept.size() > 2 * kKeptBytes) kept.erase(0, kept.size() - kKeptBytes);
  }
}

// Looks after the child until it has ended; its wait status.
int Watch(const ChildProcess& child, pid_t pid, int output, ChildEnd& end) {
  std::optional<std::chrono::steady_clock::time_point> asked;
  bool open = true;
  for (;;) {
    pollfd wait_for = {output, POLLIN, 0};
    poll(&wait_for, open ? 1 : 0, kTickMilliseconds);
    if (open) open = Drain(output, end.output);

    siginfo_t ended = {};
    if (waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        ended.si_pid == pid) {
      // What it started must not outlive it, nor keep writing into folders that are to be removed.
      kill(-pid, SIGKILL);
      if (open) Drain(output, end.output);
      int status = 0;
      waitpid(pid, &status, 0);
      return status;
    }
    if (child.tick) child.tick();
    if (!asked && child.cancel != nullptr && child.cancel->load()) {
      end.cancelled = true;
      asked = std::chrono::steady_clock::now();
      kill(-pid, SIGTERM);
    }
    if (asked && std::chrono::steady_clock::now() - *asked > kGrace) kill(-pid, SIGKILL);
  }
}

Error CannotStart(const std::string& program, int why) {
  return {why == ENOENT ? Status::kNotFound : Status::kIo,
          "cannot start " + program + ": " + std::generic_category().message(why), ""};
}

}  // namespace

Result<ChildEnd> RunChild(const ChildProcess& child) {
  std::vector<std::string> texts = child.command;
  std::vector<std::string> environment_texts = Environment(child);
  std::vector<char*> command = Pointers(texts);
  std::vector<char*> environment = Pointers(environment_texts);
  Pipe output, report;
  if (!output.Open() || !report.Open()) return CannotStart(texts[0], errno);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return CannotStart(texts[0], errno);
  if (pid == 0) Become(command.data(), environment.data(), output.write, report.write, parent);
  setpgid(pid, pid);  // here too: whichever of the two comes first
  output.CloseWrite();
  report.CloseWrite();

  int why = 0;
  ssize_t got;
  do {
    got = read(report.read, &why, sizeof(why));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(why)) {
    waitpid(pid, nullptr, 0);
    return CannotStart(texts[0], why);
  }
  fcntl(output.read, F_SETFL, O_NONBLOCK);
  ChildEnd end;
  const int status = Watch(child, pid, output.read, end);
  end.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (end.output.size() > kKeptBytes) end.output.erase(0, end.output.size() - kKeptBytes);
  return end;
}

}  // namespace tenon::apps
