// SPDX-License-Identifier: Apache-2.0
#include <semaphore.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <utility>

#include "apps/assemble/embedding_session.h"
#include "apps/engine/engine_identity.h"
#include "apps/engine/local_client.h"
#include "apps/link/crash_report.h"
#include "apps/link/fleet.h"
#include "apps/link/worker_report.h"
#include "apps/link/worker_service.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

sem_t g_end;
std::atomic<bool> g_serving = false;

void OnTerminate(int) {
  if (!g_serving) _exit(0);
  sem_post(&g_end);
}

void Tell(const WorkerOptions& options, std::string_view text) {
  if (options.report < 0) return;
  // A parent that went away takes the worker with it anyway.
  [[maybe_unused]] const ssize_t written = write(options.report, text.data(), text.size());
}

// False where the parent is gone already.
bool EndWithParent(int parent) {
  if (parent == 0) return true;
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

struct Opened {
  std::shared_ptr<EngineClient> engine;
  EngineIdentity identity;
};

Result<Opened> Open(const WorkerOptions& options, const std::function<void()>& after_step) {
  SessionOptions session;
  session.pipeline = options.pipeline.path;
  session.overrides = options.pipeline.overrides;
  session.plugin_dirs = options.pipeline.plugin_dirs;
  session.share_folder = options.share_folder;
  // Makes an engine unless the model is an encoder.
  session.purpose = Purpose::kExplain;
  auto opened = Session::Open(session);
  TENON_RETURN_IF_ERROR(opened);
  EngineIdentity identity = IdentityOf(**opened);
  if (!(*opened)->model().model->Info().encoder) {
    return Opened{MakeLocalClient(std::move(*opened), after_step), std::move(identity)};
  }
  opened->reset();
  auto embeds = EmbeddingSession::Open({.session = std::move(session)});
  TENON_RETURN_IF_ERROR(embeds);
  return Opened{MakeLocalClient(std::move(*embeds), after_step), std::move(identity)};
}

void HandleSignals() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = OnTerminate;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGHUP, &action, nullptr);
  sigaction(SIGPIPE, &action, nullptr);
}

int Fail(const WorkerOptions& options, const Error& error) {
  if (options.report < 0) {
    fmt::print(stderr, "tenon worker: {}\n", error.message);
  } else {
    Tell(options, fmt::format("{}{}", link::kFailed, error.message));
  }
  return 1;
}

}  // namespace

int RunWorker(const WorkerOptions& options) {
  if (!EndWithParent(options.parent)) return 1;
  sem_init(&g_end, 0, 0);
  HandleSignals();
  link::ReportCrashes(options.report >= 0 ? options.report : STDERR_FILENO);
  auto service = link::WorkerService::Listen(options.endpoint);
  if (!service.ok()) return Fail(options, service.error());
  Tell(options, link::kListening);
  link::WorkerService& link = **service;
  auto opened = Open(options, [send = link.AfterStep()] {
    link::PrepareThreadForCrashes();
    send();
  });
  if (!opened.ok()) return Fail(options, opened.error());
  link.Serve(std::move(opened->engine), opened->identity);
  if (options.report < 0) {
    const std::string& socket = options.endpoint.socket;
    fmt::print("tenon worker: {} at {}\n", options.pipeline.path,
               socket.empty() ? fmt::format("port {}", link.Port()) : socket);
    std::fflush(stdout);
  }
  g_serving = true;
  while (sem_wait(&g_end) != 0 && errno == EINTR) {
  }
  return 0;
}

}  // namespace tenon::apps
