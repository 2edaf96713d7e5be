// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "apps/link/fleet.h"

namespace tenon::apps::link {

struct WorkerCommand {
  std::string binary;  // this program
  PipelineSource pipeline;
  std::string share_folder;  // of its weights; empty: it keeps its own
  std::string socket;        // where its link is to listen
};

// A worker that this process started: `tenon worker` with a pipe for its report. It dies with the
// thread that started it (PR_SET_PDEATHSIG), and is killed and reaped when this ends. It inherits
// standard output and error, and no other file. Thread: one.
class WorkerProcess {
 public:
  // kIo where the system refuses.
  static Result<std::unique_ptr<WorkerProcess>> Start(const WorkerCommand& command);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  int pid() const { return pid_; }
  const std::string& socket() const { return socket_; }
  // Readable when there is news: it ended, or its report grew.
  int EndFile() const { return pidfd_; }
  int ReportFile() const { return report_file_; }

  void Signal(int number);
  // Whether a signal or a debugger stopped it.
  bool Stopped() const;

  // Asks all its threads where they are. What they told by now: the plugins that ran (see
  // ReadWhereReport).
  void AskWhere() const;
  std::string Where();

  // Takes what its report has; whether its socket is there.
  bool Listens();

  // Whether it ended; from then on the three below hold.
  bool Ended();
  bool LoadFailed() const { return !LoadError().empty(); }  // it said so itself
  std::string LoadError() const;
  // "worker 123 died of SIGSEGV in attention_paged.so (tenon.attention.paged)".
  std::string Death() const;

 private:
  WorkerProcess() = default;
  void ReadReport();

  int pid_ = -1;
  int pidfd_ = -1;
  int report_file_ = -1;
  std::string socket_;
  std::string report_;
  std::optional<int> status_;  // as waitpid gives it
};

}  // namespace tenon::apps::link
