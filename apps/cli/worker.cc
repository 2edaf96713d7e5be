// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "apps/cli/command.h"
#include "apps/link/fleet.h"

namespace tenon::apps {

void AddWorker(CLI::App& app, int& exit_code) {
  struct Arguments {
    SessionOptions session;
    WorkerOptions worker;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "worker", "Serves one pipeline's engine to a `tenon serve` over gRPC; serve starts its own.");
  AddPipelineArguments(*command, arguments->session);
  link::Endpoint& endpoint = arguments->worker.endpoint;
  CLI::Option* socket =
      command->add_option("--socket", endpoint.socket, "listen on this Unix socket (mode 0600)");
  CLI::Option* listen =
      command->add_option("--listen", endpoint.host, "listen on HOST:PORT, with TLS on both sides");
  listen->excludes(socket);
  command->add_option("--tls-cert", endpoint.tls.certificate, "this worker's certificate (PEM)");
  command->add_option("--tls-key", endpoint.tls.key, "its key (PEM)");
  command->add_option("--tls-ca", endpoint.tls.ca, "who signs the server's certificate (PEM)");
  command->add_option("--share-weights", arguments->worker.share_folder,
                      "a folder in memory (/dev/shm/...) where workers keep equal weights once");
  command->add_option("--parent", arguments->worker.parent)->group("");
  command->add_option("--report", arguments->worker.report)->group("");
  command->callback([arguments, &exit_code] {
    const SessionOptions& session = arguments->session;
    if (arguments->worker.endpoint.socket.empty() && arguments->worker.endpoint.host.empty()) {
      throw CLI::RequiredError("--socket or --listen");
    }
    arguments->worker.pipeline = {session.pipeline, session.overrides, session.plugin_dirs};
    exit_code = RunWorker(arguments->worker);
  });
}

}  // namespace tenon::apps
