// SPDX-License-Identifier: Apache-2.0
#include "apps/server/trace.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(c) >= ' ') out.push_back(c);
  }
  return out + "\"";
}

// A span of a request: the events of one id are drawn together.
std::string Span(const char* name, int64_t id, double from, double to, const std::string& details) {
  return fmt::format(
      "{{\"name\":\"{0}\",\"cat\":\"request\",\"ph\":\"b\",\"id\":{1},\"pid\":1,\"tid\":1,"
      "\"ts\":{2:.0f},\"args\":{{{4}}}}},\n"
      "{{\"name\":\"{0}\",\"cat\":\"request\",\"ph\":\"e\",\"id\":{1},\"pid\":1,\"tid\":1,"
      "\"ts\":{3:.0f}}}",
      name, id, from, to, details);
}

}  // namespace

Result<std::unique_ptr<Trace>> Trace::Open(const std::string& file, int64_t most_bytes) {
  std::unique_ptr<Trace> trace(new Trace(file, most_bytes));
  TENON_RETURN_IF_ERROR(trace->Begin());
  return trace;
}

Trace::~Trace() {
  if (out_ == nullptr) return;
  std::fputs("\n]\n", out_);
  std::fclose(out_);
}

Result<void> Trace::Begin() {
  out_ = std::fopen(path_.c_str(), "we");
  if (out_ == nullptr) {
    return Error{Status::kIo,
                 fmt::format("{}: cannot be written: {}", path_, std::strerror(errno))};
  }
  bytes_ = std::fprintf(
      out_, "[{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"tenon\"}}");
  return {};
}

double Trace::Now() const {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_)
      .count();
}

void Trace::Write(const std::string& event) {
  if (out_ == nullptr) return;
  if (bytes_ + static_cast<int64_t>(event.size()) > most_bytes_ / 2) {
    std::fputs("\n]\n", out_);
    std::fclose(out_);
    out_ = nullptr;
    std::rename(path_.c_str(), (path_ + ".1").c_str());
    if (!Begin().ok()) return;
  }
  std::fputs(",\n", out_);
  std::fwrite(event.data(), 1, event.size(), out_);
  std::fflush(out_);
  bytes_ += static_cast<int64_t>(event.size()) + 2;
}

void Trace::OnDone(const openai::CallRecord& record) {
  const std::lock_guard lock(mutex_);
  const int64_t id = ++number_;
  const double end = Now();
  const double begin = end - record.all_s * 1e6;
  const double started = begin + record.queue_s * 1e6;
  const double first = record.first_token_s > 0 ? begin + record.first_token_s * 1e6 : end;
  std::string events =
      Span("request", id, begin, end,
           fmt::format(
               "\"id\":{},\"model\":{},\"finished\":{},\"prompt_tokens\":{},\"cached_tokens\":"
               "{},\"output_tokens\":{},\"choices\":{}",
               Quoted(record.request_id), Quoted(record.model), Quoted(record.finished),
               record.prompt_tokens, record.cached_tokens, record.output_tokens, record.choices));
  events += ",\n" + Span("queue", id, begin, started, "");
  if (record.output_tokens > 0) {
    events += ",\n" + Span("prefill", id, started, first, "");
    events += ",\n" + Span("decode", id, first, end, "");
  }
  Write(events);
}

void Trace::Look(const openai::ModelDirectory& models) {
  const std::lock_guard lock(mutex_);
  const double now = Now();
  const double passed = (now - looked_) / 1e6;
  if (passed < 1) return;
  looked_ = now;
  for (const auto& served : models.Models()) {
    std::string shares;
    for (const PluginTime& time : served->engine->State().plugins) {
      double& before = seconds_[served->name + "/" + time.family + "/" + time.plugin];
      const double spent = time.seconds - std::exchange(before, time.seconds);
      if (spent <= 0) continue;
      shares += fmt::format("{}{}:{:.4f}", shares.empty() ? "" : ",",
                            Quoted(time.family + "/" + time.plugin), spent / passed);
    }
    if (shares.empty()) continue;
    Write(fmt::format("{{\"name\":{},\"ph\":\"C\",\"pid\":1,\"ts\":{:.0f},\"args\":{{{}}}}}",
                      Quoted("plugins of " + served->name), now, shares));
  }
}

}  // namespace tenon::apps::server
