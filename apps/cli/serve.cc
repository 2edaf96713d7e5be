// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include "apps/cli/command.h"
#include "apps/cli/comparison_arguments.h"
#include "apps/cli/signals.h"
#include "apps/link/fleet.h"
#include "apps/link/public_service.h"
#include "apps/openai/api.h"
#include "apps/record/recorded_directory.h"
#include "apps/server/call_watch.h"
#include "apps/server/server.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMostKeyFileBytes = size_t{1} << 20;
// File descriptors beside those of connections.
constexpr size_t kOtherFiles = 256;

struct ServeArguments {
  std::vector<std::string> pipelines;
  std::vector<std::string> model_names;
  SessionOptions shared;  // --set and --plugin-dir of each pipeline
  server::ServerOptions server;
  openai::AdmissionLimits admission;
  std::vector<std::string> workers;  // HOST:PORT
  ComparisonArguments compared;
  link::TlsFiles tls;
  int admin_port = -1;
  int grpc_port = -1;
  uint64_t body_mib = 4;
  std::string key;
  std::string key_file;
  std::string log_file;
  std::string trace_file;
  record::RecordOptions record;  // folder empty: nothing is recorded
  std::string metrics_prefix = "tenon";
  double drain_s = 600;
  double step_limit_s = FleetOptions().step_limit_s;
};

// From --api-key-file, --api-key or TENON_API_KEY; none: everyone may come in.
Result<server::ApiKeys> ReadKeys(const ServeArguments& arguments) {
  std::string text = arguments.key;
  const char* variable = std::getenv("TENON_API_KEY");
  if (!arguments.key_file.empty()) {
    auto file = ReadFile(arguments.key_file, kMostKeyFileBytes);
    if (!file.ok()) return file.error();
    text = *file;
  } else if (text.empty() && variable != nullptr) {
    text = variable;
  } else if (text.empty()) {
    return server::ApiKeys();
  }
  // Workers have no use for it.
  unsetenv("TENON_API_KEY");
  return server::ApiKeys::Parse(text);
}

// Connections need file descriptors: as many as the system lets this process have.
void RaiseFileLimit(server::ServerOptions* options, server::Log& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = options->connections + kOtherFiles;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= wanted) return;
  const size_t fewer =
      limit.rlim_cur > 2 * kOtherFiles ? limit.rlim_cur - kOtherFiles : limit.rlim_cur / 2;
  log.Warn("files", {{"limit", limit.rlim_cur}, {"connections", fewer}});
  options->connections = fewer;
}

FleetOptions MakeFleetOptions(const ServeArguments& arguments) {
  FleetOptions options;
  const ComparisonArguments& compared = arguments.compared;
  if (!compared.pipeline.empty()) {
    options.compared = {compared.pipeline, arguments.shared.overrides,
                        arguments.shared.plugin_dirs};
    options.compared->overrides.insert(options.compared->overrides.end(),
                                       compared.overrides.begin(), compared.overrides.end());
  }
  options.trial = compared.trial;
  for (const std::string& path : arguments.pipelines) {
    options.pipelines.push_back({path, arguments.shared.overrides, arguments.shared.plugin_dirs});
  }
  for (const std::string& worker : arguments.workers) {
    options.workers.push_back({"", worker, arguments.tls});
  }
  options.model_names = arguments.model_names;
  options.step_limit_s = arguments.step_limit_s;
  std::error_code error;
  options.binary = std::filesystem::read_symlink("/proc/self/exe", error).string();
  const auto temporary = std::filesystem::temp_directory_path(error);
  options.folder = (temporary / ("tenon-" + server::RandomHex(8))).string();
  return options;
}

// A server with its engines, from their start to their end.
class Serving {
 public:
  Serving(const ServeArguments& arguments, server::ApiKeys keys)
      : arguments_(arguments),
        keys_(std::move(keys)),
        log_(arguments.log_file),
        metrics_(arguments.metrics_prefix) {}

  ~Serving() {
    if (reload_.joinable()) reload_.join();
    grpc_.reset();
    server_.reset();
  }

  int Run() {
    if (auto started = Start(); !started.ok()) return Report(started.error());
    int signal = 0;
    const auto ready = AwaitReady(&signal);
    if (!ready.ok()) {
      End(0);
      return Report(ready.error());
    }
    if (signal == 0) {
      Announce();
      signal = AwaitEnd();
    }
    const bool forced = !Drain();
    log_.Info("stop", {{"forced", forced ? 1 : 0}});
    End(forced ? 0 : 10);
    if (signal == SIGINT) return kInterrupted;
    return forced ? kFailure : kSuccess;
  }

 private:
  Result<void> Start() {
    if (!arguments_.trace_file.empty()) {
      auto trace = server::Trace::Open(arguments_.trace_file);
      if (!trace.ok()) return trace.error();
      trace_ = std::move(trace).value();
    }
    watch_ = std::make_unique<server::CallWatch>(metrics_, log_, trace_.get());
    const FleetEvents events{[this](const std::string& text) {
      log_.Warn("engine", {{"text", text}});
    }};
    auto fleet = Fleet::Start(MakeFleetOptions(arguments_), events);
    if (!fleet.ok()) return fleet.error();
    fleet_ = std::move(fleet).value();
    TENON_RETURN_IF_ERROR(StartRecording());
    const openai::ModelDirectory* models = fleet_.get();
    if (recorded_) models = &*recorded_;
    api_ = openai::MakeApi(*models, *watch_, arguments_.admission, openai::RequestCaps{});
    server::ServerOptions options = arguments_.server;
    options.most_waiting = arguments_.admission.waiting_requests;
    RaiseFileLimit(&options, log_);
    auto server = server::Server::Start(
        options, {api_.get(), fleet_.get(), &keys_, &log_, &metrics_, trace_.get()});
    if (!server.ok()) {
      fleet_->Stop(0);
      return server.error();
    }
    server_ = std::move(server).value();
    if (arguments_.grpc_port < 0) return {};
    // Behind the server, which refuses hosts that need a key.
    auto grpc = link::PublicService::Listen(
        *api_, {.host = options.host,
                .port = arguments_.grpc_port,
                .tenant_of = [this](std::string_view key) { return keys_.TenantOf(key); },
                .new_request_id = [] { return server::RandomHex(16); },
                .max_body_bytes = options.limits.body_bytes});
    if (!grpc.ok()) {
      End(0);
      return grpc.error();
    }
    grpc_ = std::move(grpc).value();
    return {};
  }

  Result<void> StartRecording() {
    if (arguments_.record.folder.empty()) return {};
    record::RecordOptions options = arguments_.record;
    options.on_problem = [this](const std::string& text) { log_.Warn("record", {{"text", text}}); };
    auto writer = record::RecordWriter::Open(std::move(options));
    if (!writer.ok()) {
      fleet_->Stop(0);
      return writer.error();
    }
    writer_ = std::move(writer).value();
    recorded_.emplace(*fleet_, *writer_);
    return {};
  }

  // Until all engines serve, or a signal asks for the end.
  Result<void> AwaitReady(int* signal) {
    while (!fleet_->WhyNotReady().empty()) {
      if (const std::string failed = fleet_->Failed(); !failed.empty()) {
        return Error{Status::kInvalid, failed};
      }
      *signal = signals_.Wait(20ms);
      if (*signal == SIGINT || *signal == SIGTERM) return {};
    }
    *signal = 0;
    return {};
  }

  void Announce() {
    std::vector<std::string> names;
    for (const auto& model : fleet_->Models()) names.push_back(model->name);
    std::string line = fmt::format("tenon serves {} at {}", fmt::join(names, ", "), server_->Url());
    if (server_->AdminPort() != 0) {
      line += fmt::format(", admin at http://127.0.0.1:{}", server_->AdminPort());
    }
    if (grpc_) line += fmt::format(", gRPC at {}:{}", arguments_.server.host, grpc_->Port());
    // Nobody needs to read it.
    static_cast<void>(Show(line + "\n"));
    log_.Info("ready", {{"url", server_->Url()}});
  }

  // A pipeline that breaks from here on does not end the server: a reload may bring it back.
  int AwaitEnd() {
    while (true) {
      const int signal = signals_.Wait(1000ms);
      if (signal == SIGINT || signal == SIGTERM) return signal;
      if (signal == SIGHUP) Reload();
    }
  }

  void Reload() {
    if (reloading_.exchange(true)) return;
    if (reload_.joinable()) reload_.join();
    reload_ = std::thread([this] {
      const auto reloaded = fleet_->Reload("");
      if (reloaded.ok()) {
        log_.Info("reload", {{"status", "done"}});
      } else {
        log_.Warn("reload", {{"failed", reloaded.error().message}});
      }
      reloading_ = false;
    });
  }

  // Whether all accepted requests finished; another signal, or the time's end, forces.
  bool Drain() {
    log_.Info("drain", {{"running", api_->Running()}});
    server_->Drain();
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::milliseconds>(
                                               std::chrono::duration<double>(arguments_.drain_s));
    while (!server_->Drained()) {
      const int signal = signals_.Wait(10ms);
      if (signal == SIGINT || signal == SIGTERM) return false;
      if (std::chrono::steady_clock::now() > until) return false;
    }
    const std::chrono::duration<double> left = until - std::chrono::steady_clock::now();
    if (grpc_) grpc_->Stop(std::max(left.count(), 0.0));
    return true;
  }

  void End(double seconds) {
    if (grpc_) grpc_->Stop(0);
    server_->Stop();
    fleet_->Stop(seconds);
    if (writer_) log_.Info("recorded", {{"run", writer_->run()}, {"left_out", writer_->LeftOut()}});
  }

  const ServeArguments& arguments_;
  const server::ApiKeys keys_;
  Signals signals_;
  server::Log log_;
  server::Metrics metrics_;
  std::unique_ptr<server::Trace> trace_;
  std::unique_ptr<server::CallWatch> watch_;
  std::unique_ptr<record::RecordWriter> writer_;  // before the fleet, whose requests end there
  std::unique_ptr<Fleet> fleet_;
  std::optional<record::RecordedDirectory> recorded_;
  std::unique_ptr<openai::Api> api_;
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<link::PublicService> grpc_;
  std::atomic<bool> reloading_ = false;
  std::thread reload_;
};

int Serve(ServeArguments& arguments) {
  auto keys = ReadKeys(arguments);
  if (!keys.ok()) return Report(keys.error());
  if (arguments.admin_port >= 0) {
    arguments.server.admin_port = static_cast<uint16_t>(arguments.admin_port);
  }
  arguments.server.limits.body_bytes = arguments.body_mib << 20;
  return Serving(arguments, std::move(keys).value()).Run();
}

void AddListening(CLI::App& command, ServeArguments& arguments) {
  server::ServerOptions& server = arguments.server;
  command.add_option("--host", server.host, "address to listen on")->capture_default_str();
  command.add_option("--port", server.port, "port to listen on; 0: one that is free")
      ->capture_default_str();
  command
      .add_option("--admin-port", arguments.admin_port,
                  "moves /admin and /metrics to this port of 127.0.0.1; 0: one that is free")
      ->check(CLI::Range(0, 65535));
  command
      .add_option("--grpc-port", arguments.grpc_port,
                  "also offers Generate and Embed over gRPC on this port, without TLS; 0: one that "
                  "is free")
      ->check(CLI::Range(0, 65535));
  command.add_option("--api-key-file", arguments.key_file,
                     "API keys, one a line; clients send `Authorization: Bearer KEY`");
  command.add_option("--api-key", arguments.key,
                     "one API key; other users of this machine can see it, so rather use a file or "
                     "the variable TENON_API_KEY");
  command.add_flag("--insecure", server.insecure, "let other machines in without a key");
  command.add_option("--max-connections", server.connections, "connections at a time")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--max-body-mib", arguments.body_mib, "largest request body, MiB")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

void AddOperation(CLI::App& command, ServeArguments& arguments) {
  command
      .add_option("--max-waiting-requests", arguments.admission.waiting_requests,
                  "requests that may wait; more get 429")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      .add_option("--max-waiting-tokens", arguments.admission.waiting_tokens,
                  "prompt tokens that may wait; more get 429")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  command
      .add_option("--metrics-prefix", arguments.metrics_prefix,
                  "of metrics' names; vllm for dashboards made for it")
      ->check(CLI::IsMember({"tenon", "vllm"}))
      ->capture_default_str();
  command.add_option("--log-file", arguments.log_file, "append the log here (default: stderr)");
  command.add_flag("--log-prompts", arguments.server.log_prompts,
                   "put prompts and answers into the log");
  command.add_option("--trace", arguments.trace_file,
                     "write spans of requests and plugins' shares here, for ui.perfetto.dev");
  AddRecordArguments(command, arguments.record);
  command
      .add_option("--drain-seconds", arguments.drain_s,
                  "how long running requests may take to finish after SIGTERM")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  command
      .add_option("--step-seconds", arguments.step_limit_s,
                  "an engine that completes no step for so long while work waits is killed, and "
                  "another started")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
}

}  // namespace

void AddServe(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ServeArguments>();
  CLI::App* command = app.add_subcommand(
      "serve",
      "HTTP server with OpenAI's API; prints its URL when ready. SIGTERM lets running requests "
      "finish, SIGHUP reads the pipelines again");
  command->add_option("PIPELINE", arguments->pipelines,
                      "pipelines, each one model, such as configs/serve.yaml");
  command
      ->add_option("--worker", arguments->workers,
                   "HOST:PORT of a `tenon worker` on another machine; several are one more model")
      ->allow_extra_args(false);
  command->add_option("--tls-cert", arguments->tls.certificate,
                      "this server's certificate for workers (PEM)");
  command->add_option("--tls-key", arguments->tls.key, "its key (PEM)");
  command->add_option("--tls-ca", arguments->tls.ca, "who signs workers' certificates (PEM)");
  command
      ->add_option("--served-model-name", arguments->model_names,
                   "names of the models, in the pipelines' order (default: the models' own)")
      ->allow_extra_args(false);
  command
      ->add_option("--set", arguments->shared.overrides,
                   "override one value of each pipeline: family.key=value")
      ->allow_extra_args(false);
  command
      ->add_option("--plugin-dir", arguments->shared.plugin_dirs, "look for plugins here as well")
      ->allow_extra_args(false);
  AddListening(*command, *arguments);
  AddOperation(*command, *arguments);
  AddComparison(*command, arguments->compared);
  command->callback([arguments, command, &exit_code] {
    if (arguments->pipelines.empty() && arguments->workers.empty()) {
      throw CLI::RequiredError("PIPELINE or --worker");
    }
    CheckComparison(*command, arguments->pipelines.size(), arguments->workers.size(),
                    &arguments->compared);
    exit_code = Serve(*arguments);
  });
}

}  // namespace tenon::apps
