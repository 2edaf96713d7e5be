// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/link/endpoint.h"
#include "apps/openai/served_model.h"
#include "apps/trial/trial.h"

// The engines behind a server: worker processes, supervised. The front end loads no engine plugin;
// a plugin's crash costs its worker's streams, not the service.
namespace tenon::apps {

struct PipelineSource {
  std::string path;
  std::vector<std::string> overrides;    // --set
  std::vector<std::string> plugin_dirs;  // --plugin-dir
};

struct FleetOptions {
  std::vector<PipelineSource> pipelines;  // each one model
  // Workers on other machines, alike, that somebody else starts: one more model. They are looked
  // for again when they are lost.
  std::vector<link::Endpoint> workers;
  std::vector<std::string> model_names;  // --served-model-name; by pipeline, empty: the model's own
  double step_limit_s = 120;             // a worker that completes no step for so long is killed
  std::optional<PipelineSource> compared;  // tried beside the only pipeline
  trial::TrialOptions trial;               // how
  std::string binary;                      // what workers are: this program
  std::string folder;  // for sockets and logs; made with mode 0700, removed at the end
};

// What a server is told of its engines. From any thread; must not block.
struct FleetEvents {
  std::function<void(const std::string& text)> on_problem;  // one line for the log
};

class Fleet : public openai::ModelDirectory {
 public:
  // Starts the first worker of each pipeline and returns; Ready() tells when they serve. Fails
  // where a process cannot be started at all. `events` is copied.
  static Result<std::unique_ptr<Fleet>> Start(const FleetOptions& options,
                                              const FleetEvents& events);

  // Empty when every pipeline has a worker that takes requests; else why not: loading, lost, stuck
  // (work waits and no step was completed for 5 s), quarantined, or the error that ended the first
  // start.
  virtual std::string WhyNotReady() const = 0;
  // A pipeline that never came up: its error. The server ends with it. Empty: none, and for good
  // once all served: who breaks later is in quarantine, and the server stays for a reload.
  virtual std::string Failed() const = 0;

  // Builds workers beside the old ones, sends new requests there, lets the old ones finish. Blocks.
  // On failure the old stay and the error is returned; while two pipelines are compared it fails.
  // `path` empty: the files are read again.
  virtual Result<void> Reload(const std::string& path) = 0;

  // The comparison that FleetOptions::compared asks for; null: none.
  virtual trial::Trial* trial() { return nullptr; }

  // Lets running requests finish, at most `seconds`, then ends the workers. No requests come any
  // more.
  virtual void Stop(double seconds) = 0;
};

// The worker's side: what `tenon worker` does. Returns the process's exit code.
struct WorkerOptions {
  PipelineSource pipeline;
  std::string share_folder;  // SessionOptions::share_folder
  link::Endpoint endpoint;   // where the link listens
  int parent = 0;            // the process that it ends with; 0: none
  int report = -1;           // a pipe to that, where it tells how it fares; -1: none
};
int RunWorker(const WorkerOptions& options);

}  // namespace tenon::apps
