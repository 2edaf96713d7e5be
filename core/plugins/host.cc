// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/host.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <string_view>

namespace tenon::core {
namespace {

thread_local std::string failure;

spdlog::logger& Logger() {
  // Kept to the end of the process: plugins' threads may log while it exits.
  static spdlog::logger& logger = *[] {
    auto* made =
        new spdlog::logger("tenon", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%^%L%$ %H:%M:%S.%e %v");
    made->set_level(spdlog::level::info);
    return made;
  }();
  return logger;
}

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

}  // namespace

std::string OneLine(std::string_view text, size_t most) {
  std::string line(text.substr(0, most));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (text.size() > most) line += " …";
  return line;
}

void PluginHost::Log(LogLevel level, Str text) noexcept {
  try {
    if (Logger().should_log(LevelOf(level))) core::Log(level, name_ + ": " + OneLine(text));
  } catch (const std::exception&) {
    // A line that cannot be written is no reason to end the program.
  }
}

Status PluginHost::Fail(Status status, Str text) noexcept {
  try {
    failure = OneLine(text);
  } catch (const std::exception&) {
    failure.clear();
  }
  return status;
}

void* PluginHost::Service(const char*) noexcept { return nullptr; }

std::string TakeFailure() {
  std::string text = std::move(failure);
  failure.clear();
  return text.empty() ? "it gave no reason" : text;
}

void ForgetFailure() { failure.clear(); }

void SetLogLevel(LogLevel level) { Logger().set_level(LevelOf(level)); }

void Log(LogLevel level, const std::string& text) {
  Logger().log(LevelOf(level), "{}", OneLine(text));
}

}  // namespace tenon::core
