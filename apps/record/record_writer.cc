// SPDX-License-Identifier: Apache-2.0
#include "apps/record/record_writer.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

#include "apps/engine/digest.h"
#include "apps/record/line.h"
#include "fmt/format.h"

namespace tenon::apps::record {
namespace {

std::string RunName() {
  const auto now = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &utc);
  return fmt::format("{}.{:03}Z", text, ms % 1000);
}

// About what it takes in memory.
int64_t BytesOf(const RecordedRequest& request) {
  size_t bytes = sizeof(RecordedRequest) + request.request.prompt.size() * sizeof(int32_t) +
                 request.request.stop_tokens.size() * sizeof(int32_t) +
                 request.request.bias.size() * sizeof(TokenBias) + request.request.user_text.size();
  for (const RecordedChoice& choice : request.choices) {
    bytes += sizeof(RecordedChoice) + choice.tokens.size() * sizeof(int32_t);
  }
  return static_cast<int64_t>(bytes);
}

Result<void> MakeFolder(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  const auto parent = std::filesystem::path(folder).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (mkdir(folder.c_str(), 0700) == 0) return {};
  return Error{Status::kIo, fmt::format("{}: cannot be made: {}", folder, std::strerror(errno))};
}

}  // namespace

Result<std::unique_ptr<RecordWriter>> RecordWriter::Open(RecordOptions options) {
  TENON_RETURN_IF_ERROR(MakeFolder(options.folder));
  std::unique_ptr<RecordWriter> writer(new RecordWriter(std::move(options)));
  TENON_RETURN_IF_ERROR(writer->files_.Begin(writer->Head()));
  writer->thread_ = std::thread([raw = writer.get()] { raw->Loop(); });
  return writer;
}

RecordWriter::RecordWriter(RecordOptions options)
    : options_(std::move(options)),
      run_(RunName()),
      secret_(RandomBytes(32)),
      files_(options_.folder, run_, options_.most_mib << 20) {}

RecordWriter::~RecordWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

int32_t RecordWriter::AddEngine(RecordedEngine engine, TextOf text_of) {
  const std::lock_guard lock(mutex_);
  engine.number = next_engine_++;
  waiting_.emplace_back(Known{std::move(engine), std::move(text_of)});
  changed_.notify_all();
  return next_engine_ - 1;
}

void RecordWriter::Keep(RecordedRequest request) {
  const int64_t bytes = BytesOf(request);
  const std::lock_guard lock(mutex_);
  if (waiting_bytes_ + bytes > options_.most_waiting_bytes) {
    ++left_out_;
  } else {
    waiting_bytes_ += bytes;
    waiting_.emplace_back(std::move(request));
  }
  changed_.notify_all();
}

int64_t RecordWriter::LeftOut() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

std::string RecordWriter::Head() const {
  FileHead head;
  head.file = files_.number() + 1;
  head.run.name = run_;
  head.run.program = TENON_VERSION;
  head.run.text = options_.text;
  std::string text = LineOf(head);
  for (const Known& known : engines_) text += LineOf(known.engine);
  return text;
}

void RecordWriter::Loop() {
  int64_t seen = 0;  // of left_out_
  for (bool more = true; more;) {
    std::deque<Item> items;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || !waiting_.empty() || left_out_ > seen; });
      items.swap(waiting_);
      waiting_bytes_ = 0;
      more = !stop_;
    }
    for (Item& item : items) Write(std::move(item));
    seen = LeftOut();
    if (seen == told_left_out_) continue;
    Warn("requests end faster than they can be recorded; some are left out");
    if (Append(LineOf(record::LeftOut{seen})).ok()) told_left_out_ = seen;
  }
}

void RecordWriter::Write(Item item) {
  if (auto* known = std::get_if<Known>(&item)) {
    engines_.push_back(std::move(*known));
    if (auto appended = Append(LineOf(engines_.back().engine)); !appended.ok()) {
      // It stands in the next file's head.
      files_.End();
      Warn(appended.error().message);
    }
    return;
  }
  auto& request = std::get<RecordedRequest>(item);
  Finish(request);
  const std::string line = LineOf(std::move(request));
  auto appended = line.size() <= kMostLineBytes
                      ? Append(line)
                      : Error{Status::kInvalid, "a request is too large to be recorded"};
  if (appended.ok()) return;
  Warn(appended.error().message);
  const std::lock_guard lock(mutex_);
  ++left_out_;
}

Result<void> RecordWriter::Append(const std::string& line) {
  if (files_.Full(line)) TENON_RETURN_IF_ERROR(files_.Begin(Head()));
  return files_.Append(line);
}

// Texts are made here, where nobody waits, and nothing that was not asked for is kept.
void RecordWriter::Finish(RecordedRequest& request) const {
  GenerateRequest& asked = request.request;
  asked.cache_salt = Salted(asked.cache_salt);
  if (!options_.text) {
    asked.user_text.clear();
    return;
  }
  const TextOf& text_of = engines_[static_cast<size_t>(request.engine)].text_of;
  if (!text_of) return;
  request.prompt_text = text_of(asked.prompt);
  for (RecordedChoice& choice : request.choices) choice.text = text_of(choice.tokens);
}

uint64_t RecordWriter::Salted(uint64_t salt) const {
  if (salt == 0) return 0;
  return First64Bits(HmacOf(secret_, std::to_string(salt)));
}

// Once: a disk that stays full would fill the log.
void RecordWriter::Warn(const std::string& why) {
  if (!std::exchange(warned_, true) && options_.on_problem) options_.on_problem(why);
}

}  // namespace tenon::apps::record
