// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "apps/cli/command.h"
#include "fmt/format.h"

namespace {

using namespace tenon::apps;

void ExitInterrupted(int) { _exit(kInterrupted); }

// Ctrl-C ends the process with its own code wherever no InterruptGuard waits for it; a reader that
// went away is an error of writing, not a signal.
void PrepareProcess() {
  // A file opened later must not take the place of a closed standard stream.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    // Writing to stdout fails still, and is reported.
    if (open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0) _exit(kFailure);
  }
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = ExitInterrupted;
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

// What was printed may still be in a buffer, or lost already.
int FinishOutput(int exit_code) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return exit_code;
  fmt::print(stderr, "tenon: standard output: {}\n",
             errno != 0 ? std::strerror(errno) : "writing failed");
  return exit_code == kSuccess ? kFailure : exit_code;
}

int Main(int argc, char** argv) {
  CLI::App app("Tenon: an LLM inference engine assembled from plugins by a YAML pipeline.",
               "tenon");
  app.set_version_flag("--version", std::string("tenon ") + TENON_VERSION);
  app.require_subcommand(1);
  int exit_code = kSuccess;
  AddRun(app, exit_code);
  AddBatch(app, exit_code);
  AddBench(app, exit_code);
  AddBenchServe(app, exit_code);
  AddScore(app, exit_code);
  AddCompare(app, exit_code);
  AddTokenize(app, exit_code);
  AddEmbed(app, exit_code);
  AddExplain(app, exit_code);
  AddPlugins(app, exit_code);
  AddModels(app, exit_code);
  AddDevices(app, exit_code);
  AddPull(app, exit_code);
  AddCheck(app, exit_code);
  AddNew(app, exit_code);
  AddWorker(app, exit_code);
  AddServe(app, exit_code);
  AddReplay(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version come as errors too, with code 0.
    return app.exit(error) == 0 ? kSuccess : kUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    PrepareProcess();
    return FinishOutput(Main(argc, argv));
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "tenon: out of memory\n");
    return kFailure;
  } catch (const std::exception& error) {
    fmt::print(stderr, "tenon: {}\n", error.what());
    return kFailure;
  }
}
