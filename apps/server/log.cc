// SPDX-License-Identifier: Apache-2.0
#include "apps/server/log.h"

#include <algorithm>

#include "fmt/format.h"
#include "spdlog/async.h"
#include "spdlog/async_logger.h"
#include "spdlog/sinks/basic_file_sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace tenon::apps::server {
namespace {

constexpr size_t kWaitingLines = 8192;

std::string Quoted(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c < 0x7f;
  });
  if (plain) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace

LogField::LogField(std::string_view field, std::string_view text)
    : name(field), value(Quoted(text)) {}

LogField::LogField(std::string_view field, double seconds)
    : name(field), value(fmt::format("{:.3f}", seconds * 1000)) {}

Log::Log(const std::string& file) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
  }
  if (!spdlog::thread_pool()) spdlog::init_thread_pool(kWaitingLines, 1);
  logger_ = std::make_shared<spdlog::async_logger>("server", sink, spdlog::thread_pool(),
                                                   spdlog::async_overflow_policy::overrun_oldest);
  logger_->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger_->flush_on(spdlog::level::info);
}

Log::~Log() { logger_->flush(); }

void Log::Write(bool warns, std::string_view event, Fields fields) {
  fmt::memory_buffer line;
  fmt::format_to(std::back_inserter(line), "event={}", event);
  for (const LogField& field : fields) {
    fmt::format_to(std::back_inserter(line), " {}={}", field.name, field.value);
  }
  logger_->log(warns ? spdlog::level::warn : spdlog::level::info,
               spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace tenon::apps::server
