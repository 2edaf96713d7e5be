// SPDX-License-Identifier: Apache-2.0
#include "apps/record/record_reader.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "apps/record/line.h"
#include "apps/record/record_file.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps::record {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr uintmax_t kMostBytes = uintmax_t{8} << 30;
constexpr std::string_view kEnding = ".jsonl";

// By run, the numbers of its files.
using Runs = std::map<std::string, std::vector<int64_t>>;

Result<Runs> FindRuns(const std::string& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  Runs runs;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    const size_t dash = name.rfind('-');
    if (dash == std::string::npos || dash == 0 || !name.ends_with(kEnding)) continue;
    int64_t number = 0;
    const char* end = name.data() + name.size() - kEnding.size();
    const auto [stop, wrong] = std::from_chars(name.data() + dash + 1, end, number);
    if (wrong != std::errc{} || stop != end || number < 1) continue;
    runs[name.substr(0, dash)].push_back(number);
  }
  if (error) {
    return Error{Status::kNotFound,
                 fmt::format("{}: no folder that can be read: {}", folder, error.message())};
  }
  for (auto& [run, numbers] : runs) std::sort(numbers.begin(), numbers.end());
  return runs;
}

// Reads the files of one run, in their order.
class RunReader {
 public:
  explicit RunReader(std::string folder) : folder_(std::move(folder)) {}

  Result<RecordedRun> Read(const std::string& name, const std::vector<int64_t>& numbers) {
    run_.name = name;
    run_.begins_late = numbers.front() != 1;
    const auto gap = std::adjacent_find(numbers.begin(), numbers.end(),
                                        [](int64_t one, int64_t next) { return next != one + 1; });
    if (gap != numbers.end()) {
      return Error{Status::kInvalid,
                   fmt::format("{}: {} is missing", folder_, RecordFileName(name, *gap + 1))};
    }
    for (const int64_t number : numbers) {
      TENON_RETURN_IF_ERROR(ReadFile(number, number == numbers.back()));
    }
    return std::move(run_);
  }

 private:
  Error Wrong(const std::string& what) const {
    return {Status::kInvalid, fmt::format("{}:{}: {}", path_, line_, what)};
  }

  Result<void> ReadFile(int64_t number, bool last) {
    path_ = folder_ + "/" + RecordFileName(run_.name, number);
    number_ = number;
    line_ = 0;
    std::ifstream file(path_, std::ios::binary);
    if (!file) {
      return Error{Status::kIo, fmt::format("{}: cannot be read: {}", path_, std::strerror(errno))};
    }
    std::string rest;  // of the last line, so far
    std::string block(kBlockBytes, '\0');
    while (file.read(block.data(), kBlockBytes) || file.gcount() > 0) {
      const auto got = static_cast<size_t>(file.gcount());
      bytes_ += got;
      if (bytes_ > kMostBytes) {
        return Wrong(fmt::format("the recording is larger than {} GiB", kMostBytes >> 30));
      }
      rest.append(block, 0, got);
      size_t begin = 0;
      for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
        TENON_RETURN_IF_ERROR(Take(std::string_view(rest).substr(begin, end - begin)));
        begin = end + 1;
      }
      rest.erase(0, begin);
      if (rest.size() > kMostLineBytes) return TooLong();
    }
    if (file.bad()) return Error{Status::kIo, fmt::format("{}: reading failed", path_)};
    if (rest.empty() && line_ > 0) return {};
    ++line_;
    if (!last) return Wrong("the file ends within this line");
    run_.torn = true;
    return {};
  }

  Error TooLong() {
    ++line_;
    return Wrong(fmt::format("longer than {} MiB", kMostLineBytes >> 20));
  }

  Result<void> Take(std::string_view text) {
    if (text.size() > kMostLineBytes) return TooLong();
    ++line_;
    auto line = ReadLine(text);
    if (!line.ok()) return Wrong(line.error().message);
    if (auto* head = std::get_if<FileHead>(&*line)) return Begin(*head);
    if (line_ == 1) return Wrong("no head of a recording's file");
    if (auto* engine = std::get_if<RecordedEngine>(&*line)) {
      Note(std::move(*engine));
    } else if (auto* request = std::get_if<RecordedRequest>(&*line)) {
      if (!Knows(request->engine)) {
        return Wrong(fmt::format("engine {} is not described before it", request->engine));
      }
      run_.requests.push_back(std::move(*request));
    } else {
      run_.left_out = std::max(run_.left_out, std::get<LeftOut>(*line).requests);
    }
    return {};
  }

  Result<void> Begin(const FileHead& head) {
    if (line_ != 1) return Wrong("the head of a file, in its middle");
    if (head.run.name != run_.name || head.file != number_) {
      return Wrong(fmt::format("this is file {} of the run \"{}\", by its head", head.file,
                               head.run.name.substr(0, 40)));
    }
    run_.program = head.run.program;
    run_.text = head.run.text;
    return {};
  }

  bool Knows(int32_t number) const {
    return std::any_of(run_.engines.begin(), run_.engines.end(),
                       [&](const RecordedEngine& one) { return one.number == number; });
  }

  // A file's head tells again what those before it told.
  void Note(RecordedEngine engine) {
    if (!Knows(engine.number)) run_.engines.push_back(std::move(engine));
  }

  const std::string folder_;
  RecordedRun run_;
  std::string path_;
  int64_t number_ = 0;
  int64_t line_ = 0;
  uintmax_t bytes_ = 0;
};

}  // namespace

Result<RecordedRun> ReadRun(const std::string& folder, const std::string& run) {
  auto runs = FindRuns(folder);
  TENON_RETURN_IF_ERROR(runs);
  if (runs->empty()) {
    return Error{
        Status::kNotFound,
        fmt::format("{}: holds no recording; `tenon serve --record {}` makes one", folder, folder)};
  }
  auto found = run.empty() ? std::prev(runs->end()) : runs->find(run);
  if (found == runs->end()) {
    std::vector<std::string> names;
    for (const auto& [name, numbers] : *runs) names.push_back(name);
    return Error{Status::kNotFound, fmt::format("{}: no run \"{}\"; there are {}", folder, run,
                                                fmt::join(names, ", "))};
  }
  return RunReader(folder).Read(found->first, found->second);
}

}  // namespace tenon::apps::record
