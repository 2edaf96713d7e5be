// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/command.h"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "fmt/format.h"

namespace tenon::apps {
namespace {

volatile bool g_interrupted = false;

void OnInterrupt(int) { g_interrupted = true; }

}  // namespace

int Report(const Error& error) {
  const std::string code = error.code.empty() ? "" : error.code + " ";
  // An error of a whole file has a code on each of its lines already.
  const bool coded = error.code.empty() || error.message.rfind(error.code, 0) == 0;
  fmt::print(stderr, "tenon: {}{}\n", coded ? "" : code, error.message);
  return error.status == Status::kCancelled ? kInterrupted : kFailure;
}

bool Show(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

CLI::Validator Between(float low, float high) {
  const std::string range = fmt::format("{} to {}", low, high);
  return CLI::Validator(
      [low, high, range](std::string& text) {
        float value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = error == std::errc{} && end == text.data() + text.size();
        // Written so that NaN fails.
        if (whole && value >= low && value <= high) return std::string();
        return fmt::format("\"{}\"; {} allowed", text, range);
      },
      range);
}

CLI::Validator WholeNumber() {
  return CLI::Validator(
      [](std::string& text) {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc{} && end == text.data() + text.size()) return std::string();
        return fmt::format("\"{}\"; 0 to {} allowed", text, UINT64_MAX);
      },
      "0 and above");
}

void AddPipelineArguments(CLI::App& command, SessionOptions& options) {
  command
      .add_option("PIPELINE", options.pipeline,
                  "pipeline, a YAML file such as configs/default.yaml")
      ->required();
  command
      .add_option("--set", options.overrides,
                  "override one value of the pipeline: family.key=value, e.g. attention.use=flash")
      ->allow_extra_args(false);
  command.add_option("--plugin-dir", options.plugin_dirs, "look for plugins here as well")
      ->allow_extra_args(false);
}

void AddAdapterArgument(CLI::App& command, std::string& name) {
  command.add_option("--adapter", name, "one of the pipeline's adapters: by name (default: none)");
}

Result<int32_t> AdapterNumber(const Session& session, const std::string& name) {
  return name.empty() ? Result<int32_t>(-1) : session.adapters().NumberOf(name);
}

Result<std::string> ReadFile(const std::string& path, size_t most) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) {
      return Error{Status::kNotFound,
                   fmt::format("{}: cannot be read: {}", path, std::strerror(errno))};
    }
  }
  std::istream& in = path == "-" ? std::cin : file;
  std::string text;
  char buffer[65536];
  while (in.read(buffer, sizeof(buffer)) || in.gcount() > 0) {
    text.append(buffer, static_cast<size_t>(in.gcount()));
    if (text.size() > most) {
      return Error{Status::kInvalid, fmt::format("{}: larger than {} MiB", path, most >> 20)};
    }
  }
  if (in.bad()) return Error{Status::kIo, fmt::format("{}: reading failed", path)};
  return text;
}

InterruptGuard::InterruptGuard() {
  g_interrupted = false;
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_);
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &before_, nullptr); }

bool InterruptGuard::Interrupted() const { return g_interrupted; }

const volatile bool* InterruptGuard::Flag() const { return &g_interrupted; }

Result<std::vector<int32_t>> ParseIntegers(const std::string& text, const char* what) {
  std::vector<int32_t> values;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    int32_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc{} || (next < end && *next != ',')) {
      return Error{
          Status::kInvalid,
          fmt::format("{} is \"{}\"; whole numbers separated by commas are wanted, e.g. 1,2,3",
                      what, text.size() > 60 ? text.substr(0, 60) + "…" : text)};
    }
    values.push_back(value);
    at = next < end ? next + 1 : next;
  }
  if (values.empty() || text.back() == ',') {
    return Error{Status::kInvalid, fmt::format("{} is empty or ends with a comma", what)};
  }
  return values;
}

}  // namespace tenon::apps
