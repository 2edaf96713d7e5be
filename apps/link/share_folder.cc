// SPDX-License-Identifier: Apache-2.0
#include "apps/link/share_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace tenon::apps::link {
namespace {

namespace fs = std::filesystem;

constexpr char kPlace[] = "/dev/shm";
constexpr char kBegin[] = "tenon-weights-";  // then the process's number, and something random

// The process that made the folder, if it is one of this user's and that process is no more.
bool IsLeftOver(const fs::path& path) {
  const std::string name = path.filename();
  if (name.rfind(kBegin, 0) != 0) return false;
  pid_t pid = 0;
  const char* digits = name.c_str() + sizeof(kBegin) - 1;
  if (std::from_chars(digits, name.c_str() + name.size(), pid).ec != std::errc() || pid <= 0) {
    return false;
  }
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) || about.st_uid != geteuid()) {
    return false;
  }
  return kill(pid, 0) != 0 && errno == ESRCH;
}

void RemoveLeftOvers() {
  std::error_code ignored;
  for (fs::directory_iterator at(kPlace, ignored), end; at != end; at.increment(ignored)) {
    std::error_code unimportant;
    if (IsLeftOver(at->path())) fs::remove_all(at->path(), unimportant);
    if (ignored) break;
  }
}

}  // namespace

ShareFolder::ShareFolder() {
  RemoveLeftOvers();
  std::string path = std::string(kPlace) + "/" + kBegin + std::to_string(getpid()) + "-XXXXXX";
  if (mkdtemp(path.data()) != nullptr) path_ = path;
}

ShareFolder::~ShareFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace tenon::apps::link
