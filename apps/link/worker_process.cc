// SPDX-License-Identifier: Apache-2.0
#include "apps/link/worker_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "apps/link/crash_report.h"
#include "apps/link/worker_report.h"
#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

constexpr int kReportFile = STDERR_FILENO + 1;  // in the worker
constexpr size_t kMaxReport = size_t{1} << 16;

Error Refused(const char* what, int number) {
  return {Status::kIo,
          fmt::format("a worker cannot be started: {}: {}", what, std::strerror(number))};
}

std::vector<std::string> ArgumentsOf(const WorkerCommand& command) {
  std::vector<std::string> out = {command.binary,
                                  "worker",
                                  command.pipeline.path,
                                  "--socket",
                                  command.socket,
                                  "--parent",
                                  std::to_string(getpid()),
                                  "--report",
                                  std::to_string(kReportFile)};
  for (const std::string& one : command.pipeline.overrides) out.insert(out.end(), {"--set", one});
  for (const std::string& one : command.pipeline.plugin_dirs) {
    out.insert(out.end(), {"--plugin-dir", one});
  }
  if (!command.share_folder.empty()) {
    out.insert(out.end(), {"--share-weights", command.share_folder});
  }
  return out;
}

// Signals as a fresh program has them; a process group of its own, so that Ctrl-C in a terminal is
// the front end's to handle.
struct Attributes {
  Attributes() {
    posix_spawnattr_init(&value);
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&value, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&value, &signals);
    posix_spawnattr_setpgroup(&value, 0);
    posix_spawnattr_setflags(
        &value, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { posix_spawnattr_destroy(&value); }
  posix_spawnattr_t value;
};

struct Files {
  explicit Files(int report) {
    posix_spawn_file_actions_init(&value);
    posix_spawn_file_actions_addopen(&value, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&value, report, kReportFile);
    posix_spawn_file_actions_addclosefrom_np(&value, kReportFile + 1);
  }
  ~Files() { posix_spawn_file_actions_destroy(&value); }
  posix_spawn_file_actions_t value;
};

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(const WorkerCommand& command) {
  std::unique_ptr<WorkerProcess> process(new WorkerProcess());
  process->socket_ = command.socket;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Refused("pipe2", errno);
  process->report_file_ = ends[0];
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const std::vector<std::string> words = ArgumentsOf(command);
  std::vector<char*> arguments;
  for (const std::string& one : words) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  const Attributes attributes;
  const Files files(ends[1]);
  pid_t pid = -1;
  const int refused = posix_spawn(&pid, command.binary.c_str(), &files.value, &attributes.value,
                                  arguments.data(), environ);
  close(ends[1]);
  if (refused != 0) return Refused(command.binary.c_str(), refused);
  process->pid_ = pid;
  process->pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process->pidfd_ < 0) return Refused("pidfd_open", errno);
  return process;
}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0 && !status_) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (pidfd_ >= 0) close(pidfd_);
  if (report_file_ >= 0) close(report_file_);
  if (!socket_.empty()) unlink(socket_.c_str());
}

void WorkerProcess::Signal(int number) {
  if (!status_) kill(pid_, number);
}

bool WorkerProcess::Stopped() const {
  std::ifstream file(fmt::format("/proc/{}/stat", pid_));
  std::string line;
  std::getline(file, line);
  // "pid (name) state …"; the name may hold anything.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= line.size()) return false;
  const char state = line[name_end + 2];
  return state == 'T' || state == 't';
}

void WorkerProcess::AskWhere() const {
  std::error_code gone;
  // A child that nobody waited for keeps its number.
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid_), gone)) {
    const int thread = std::atoi(task.path().filename().c_str());
    if (!status_) syscall(SYS_tgkill, pid_, thread, kWhereSignal);
  }
}

std::string WorkerProcess::Where() {
  ReadReport();
  return ReadWhereReport(report_);
}

void WorkerProcess::ReadReport() {
  char buffer[4096];
  ssize_t got = 0;
  while (report_file_ >= 0 && (got = read(report_file_, buffer, sizeof(buffer))) > 0) {
    if (report_.size() < kMaxReport) report_.append(buffer, static_cast<size_t>(got));
  }
  // A closed pipe would be readable for ever.
  if (got == 0 && report_file_ >= 0) close(std::exchange(report_file_, -1));
}

bool WorkerProcess::Listens() {
  ReadReport();
  return report_.starts_with(kListening);
}

bool WorkerProcess::Ended() {
  if (status_) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  status_ = status;
  ReadReport();
  return true;
}

std::string WorkerProcess::LoadError() const {
  const size_t at = report_.find(kFailed);
  return at == std::string::npos ? "" : report_.substr(at + kFailed.size());
}

std::string WorkerProcess::Death() const {
  std::string how = ReadCrashReport(report_);
  if (how.empty() && LoadFailed()) how = "could not start: " + LoadError();
  const int status = status_.value_or(0);
  if (how.empty() && WIFSIGNALED(status)) {
    how = fmt::format("died of {}", sigabbrev_np(WTERMSIG(status)) != nullptr
                                        ? std::string("SIG") + sigabbrev_np(WTERMSIG(status))
                                        : fmt::format("signal {}", WTERMSIG(status)));
  }
  if (how.empty()) how = fmt::format("ended with code {}", WEXITSTATUS(status));
  return fmt::format("worker {} {}", pid_, how);
}

}  // namespace tenon::apps::link
