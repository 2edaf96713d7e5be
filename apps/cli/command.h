// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "apps/assemble/session.h"
#include "tenon/result.h"

namespace tenon::apps::record {
struct RecordOptions;
}

// What the commands share. Each add-function puts its subcommand into `app`; when the user named
// it, `exit_code` is set to what the process returns.
namespace tenon::apps {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInterrupted = 130;

void AddRun(CLI::App& app, int& exit_code);
void AddBatch(CLI::App& app, int& exit_code);
void AddBench(CLI::App& app, int& exit_code);
void AddBenchServe(CLI::App& app, int& exit_code);
void AddScore(CLI::App& app, int& exit_code);
void AddCompare(CLI::App& app, int& exit_code);
void AddTokenize(CLI::App& app, int& exit_code);
void AddEmbed(CLI::App& app, int& exit_code);
void AddExplain(CLI::App& app, int& exit_code);
void AddPlugins(CLI::App& app, int& exit_code);
void AddModels(CLI::App& app, int& exit_code);
void AddDevices(CLI::App& app, int& exit_code);
void AddPull(CLI::App& app, int& exit_code);
void AddCheck(CLI::App& app, int& exit_code);
void AddNew(CLI::App& app, int& exit_code);
void AddWorker(CLI::App& app, int& exit_code);
void AddServe(CLI::App& app, int& exit_code);
void AddReplay(CLI::App& app, int& exit_code);

// Prints the error to stderr; the exit code that belongs to it.
int Report(const Error& error);

// Writes to stdout at once; false if nobody can read it any more.
bool Show(const std::string& text);

// Checks of option values, with the range in the message: numbers from `low` to `high`, and whole
// numbers from 0 that 64 bits hold.
CLI::Validator Between(float low, float high);
CLI::Validator WholeNumber();

// Adds PIPELINE, --set and --plugin-dir.
void AddPipelineArguments(CLI::App& command, SessionOptions& options);

// Adds --record and what belongs to it.
void AddRecordArguments(CLI::App& command, record::RecordOptions& options);

// Adds --adapter, which sets `name`.
void AddAdapterArgument(CLI::App& command, std::string& name);

// core::Request::adapter of that name, -1 of the empty one; kNotFound lists those that there are.
Result<int32_t> AdapterNumber(const Session& session, const std::string& name);

// The whole of a file, or of standard input for "-". At most `most` bytes.
Result<std::string> ReadFile(const std::string& path, size_t most);

// While one exists, Ctrl-C sets Interrupted() instead of ending the process.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool Interrupted() const;
  const volatile bool* Flag() const;

 private:
  struct sigaction before_;
};

// A list of whole numbers such as "1,8"; kInvalid names `what`.
Result<std::vector<int32_t>> ParseIntegers(const std::string& text, const char* what);

}  // namespace tenon::apps
