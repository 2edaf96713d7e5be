// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace tenon::apps::server {

// One `name=value` of a line; text is quoted where it needs to be.
struct LogField {
  LogField(std::string_view field, std::string_view text);
  LogField(std::string_view field, const char* text) : LogField(field, std::string_view(text)) {}
  LogField(std::string_view field, const std::string& text)
      : LogField(field, std::string_view(text)) {}
  template <std::integral T>
  LogField(std::string_view field, T number) : name(field), value(std::to_string(number)) {}
  LogField(std::string_view field, double seconds);  // printed as milliseconds

  std::string_view name;
  std::string value;
};

// The server's log: lines `time=… level=… event=… name=value …`, written by a thread of its own;
// when whoever reads them is slow the oldest are dropped, never a request held up. Thread: any.
class Log {
 public:
  // To standard error; empty `file`. Else appended to that file. Throws spdlog::spdlog_ex where it
  // cannot be opened.
  explicit Log(const std::string& file);
  ~Log();

  using Fields = std::initializer_list<LogField>;
  void Info(std::string_view event, Fields fields) { Write(false, event, fields); }
  void Warn(std::string_view event, Fields fields) { Write(true, event, fields); }

 private:
  void Write(bool warns, std::string_view event, Fields fields);

  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace tenon::apps::server
