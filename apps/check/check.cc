// SPDX-License-Identifier: Apache-2.0
#include "apps/check/check.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/check/child.h"
#include "apps/pull/child_process.h"

namespace tenon::apps {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

// How a child ended.
struct Ended {
  ChildEnd end;
  json result;  // an object, or null where it gave none
  bool hung = false;
  double seconds = 0;
};

std::vector<std::string> Command(const ChildArguments& arguments) {
  std::vector<std::string> command = {
      "/proc/self/exe", "check",     arguments.subject.file,  "--child",
      arguments.test,   "--subject", arguments.subject.Text()};
  if (!arguments.device.file.empty()) {
    command.insert(command.end(), {"--device", arguments.device.Text()});
  }
  if (!arguments.yardstick.file.empty()) {
    command.insert(command.end(), {"--yardstick", arguments.yardstick.Text()});
  }
  for (const std::string& dir : arguments.plugin_dirs) {
    command.insert(command.end(), {"--plugin-dir", dir});
  }
  return command;
}

// The JSON behind the last mark; null where there is none.
json ReadResult(const std::string& output) {
  const size_t at = output.rfind(kResultMark);
  if (at == std::string::npos) return nullptr;
  const size_t begin = at + std::strlen(kResultMark);
  const size_t end = std::min(output.find('\n', begin), output.size());
  json result = json::parse(output.substr(begin, end - begin), nullptr, false);
  return result.is_object() ? result : json(nullptr);
}

Result<Ended> RunOne(const CheckOptions& options, const ChildArguments& arguments) {
  const Clock::time_point start = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::atomic<bool> cancel = false;
  Ended out;
  ChildProcess child;
  child.command = Command(arguments);
  child.cancel = &cancel;
  child.tick = [&] {
    out.hung = out.hung || seconds() > options.timeout_seconds;
    cancel = out.hung || (options.interrupted && options.interrupted());
  };
  auto end = RunChild(child);
  if (!end.ok()) return end.error();
  if (end->cancelled && !out.hung) return Error{Status::kCancelled, "interrupted"};
  if (options.interrupted && options.interrupted()) return Error{Status::kCancelled, "interrupted"};
  out.end = std::move(*end);
  out.hung = out.hung && out.end.cancelled;
  out.result = ReadResult(out.end.output);
  out.seconds = seconds();
  return out;
}

// The last line that is not the result's, which often says why a process died.
std::string LastWords(const std::string& output) {
  std::string last;
  for (size_t at = 0; at < output.size();) {
    const size_t end = std::min(output.find('\n', at), output.size());
    const std::string line = output.substr(at, end - at);
    if (!line.empty() && line.rfind(kResultMark, 0) != 0) last = line.substr(0, 300);
    at = end + 1;
  }
  return last.empty() ? "" : ": " + last;
}

std::string HowItEnded(const ChildEnd& end, bool has_result) {
  std::string how =
      end.exit_code > 128
          ? fmt::format("signal {} ({})", end.exit_code - 128, strsignal(end.exit_code - 128))
          : fmt::format("ended the process with code {}", end.exit_code);
  if (has_result) how += ", after the test";
  return how + LastWords(end.output);
}

TestResult Judge(const CheckOptions& options, const std::string& name, const Ended& ended) {
  TestResult result = {name, CheckStatus::kPassed, false, "", ended.seconds};
  if (ended.hung) {
    result.status = CheckStatus::kHung;
    result.message = fmt::format("not done after {:g} s", options.timeout_seconds);
    return result;
  }
  if (ended.end.exit_code != 0 || ended.result.is_null()) {
    result.status = CheckStatus::kCrashed;
    result.message = HowItEnded(ended.end, !ended.result.is_null());
    return result;
  }
  const std::string outcome = ended.result.value("outcome", "failed");
  result.message = ended.result.value("message", "");
  result.warning = outcome == "warned" && !options.strict;
  if (outcome == "skipped") result.status = CheckStatus::kSkipped;
  if (outcome == "failed" || (outcome == "warned" && options.strict)) {
    result.status = CheckStatus::kFailed;
  }
  return result;
}

// A plugin may have written the line.
bool IsRate(const json& rate) {
  return rate.is_object() && rate.contains("what") && rate["what"].is_string() &&
         rate.contains("per_second") && rate["per_second"].is_number() && rate.contains("bytes") &&
         rate["bytes"].is_boolean();
}

AchievedRate Compared(const json& rate, const ThreadLimits& limits) {
  AchievedRate out;
  out.what = rate["what"].get<std::string>();
  out.per_second = rate["per_second"].get<double>();
  if (rate["bytes"].get<bool>()) {
    out.unit = "B/s";
    if (limits.read_bytes_per_s > 0) {
      out.shares["memory"] = out.per_second / limits.read_bytes_per_s;
    }
    return out;
  }
  out.unit = "op/s";
  for (const auto& [type, ops] : limits.ops_per_s) out.shares[type] = out.per_second / ops;
  return out;
}

// One run over a plugin.
class Run {
 public:
  explicit Run(const CheckOptions& options) : options_(options) { result_.plugin = options.plugin; }

  Result<PluginResult> All() {
    arguments_.subject.file = options_.plugin;
    arguments_.plugin_dirs = options_.plugin_dirs;
    bool loads = true;
    for (const std::string& name : FileTests()) {
      if (!loads) break;
      TENON_RETURN_IF_ERROR(RunTest(name, &result_.tests));
      const bool is_load = name == "plugin.static.load" && !result_.tests.empty() &&
                           result_.tests.back().name == name;
      if (is_load) loads = result_.tests.back().status == CheckStatus::kPassed;
    }
    if (loads) TENON_RETURN_IF_ERROR(Components());
    return std::move(result_);
  }

 private:
  Result<void> RunTest(const std::string& name, std::vector<TestResult>* to) {
    if (name.rfind(options_.only, 0) != 0) return {};
    arguments_.test = name;
    const auto ended = RunOne(options_, arguments_);
    if (!ended.ok()) return ended.error();
    to->push_back(Judge(options_, name, *ended));
    AddRates(ended->result, &to->back());
    if (options_.done) options_.done(to->back());
    return {};
  }

  void AddRates(const json& result, TestResult* test) {
    if (test->status != CheckStatus::kPassed || !result.contains("rates")) return;
    for (const json& rate : result["rates"]) {
      if (!IsRate(rate)) continue;
      if (!limits_) limits_ = options_.limits ? options_.limits() : ThreadLimits();
      test->rates.push_back(Compared(rate, *limits_));
    }
  }

  bool Wanted(const json& component) const {
    const std::string family = component.value("family", ""), name = component.value("name", "");
    return (options_.family.empty() || options_.family == family) &&
           (options_.component.empty() || options_.component == name);
  }

  Result<void> Components() {
    arguments_.test = kListTests;
    const auto ended = RunOne(options_, arguments_);
    if (!ended.ok()) return ended.error();
    const json& listed = ended->result;
    if (ended->hung || ended->end.exit_code != 0 || listed.is_null() ||
        !listed.contains("components")) {
      TestResult failure = Judge(options_, "plugin.static.list", *ended);
      if (failure.status == CheckStatus::kPassed) failure.status = CheckStatus::kFailed;
      if (failure.message.empty() && listed.is_object()) {
        failure.message = listed.value("error", "");
      }
      result_.tests.push_back(std::move(failure));
      return {};
    }
    arguments_.device = ComponentPlace::Parse(listed.value("device", ""));
    for (const json& component : listed["components"]) {
      if (Wanted(component)) TENON_RETURN_IF_ERROR(Component(component, listed["yardsticks"]));
    }
    if (!result_.components.empty() || (options_.family.empty() && options_.component.empty())) {
      return {};
    }
    return Error{Status::kNotFound,
                 fmt::format("{} offers no {} component{}", options_.plugin, options_.family,
                             options_.component.empty() ? "" : " \"" + options_.component + "\"")};
  }

  Result<void> Component(const json& component, const json& yardsticks) {
    ComponentResult out;
    out.name = component.value("name", "");
    out.family = component.value("family", "");
    arguments_.subject.family = out.family;
    arguments_.subject.name = out.name;
    arguments_.yardstick = ComponentPlace::Parse(yardsticks.value(out.family, ""));
    if (arguments_.yardstick.name == out.name) arguments_.yardstick = {};
    const std::string why = component.value("why", "");
    if (!why.empty()) {
      out.tests.push_back({"any.probe.fits", CheckStatus::kSkipped, false, why, 0});
    } else {
      for (const json& name : component["tests"]) {
        TENON_RETURN_IF_ERROR(RunTest(name.get<std::string>(), &out.tests));
      }
    }
    result_.components.push_back(std::move(out));
    return {};
  }

  const CheckOptions& options_;
  ChildArguments arguments_;
  PluginResult result_;
  std::optional<ThreadLimits> limits_;
};

}  // namespace

Result<PluginResult> CheckPlugin(const CheckOptions& options) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(options.plugin, failed)) {
    return Error{Status::kNotFound, options.plugin + ": there is no such file"};
  }
  return Run(options).All();
}

}  // namespace tenon::apps
