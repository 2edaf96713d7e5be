// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/shared_blocks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // of Linux 6.1
#endif

namespace tenon::cpu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kHugePage = uint64_t{2} << 20;

class File {
 public:
  explicit File(int number) : number_(number) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  const int number_;
};

bool MostlyUntouched(void* block, uint64_t bytes) {
  std::vector<unsigned char> pages((bytes + kPage - 1) / kPage);
  if (mincore(block, bytes, pages.data()) != 0) return true;
  size_t touched = 0;
  for (const unsigned char page : pages) touched += page & 1;
  return touched * 2 < pages.size();
}

// Four chains of multiplications: what is found by it is compared before it is used.
uint64_t HashOf(const void* block, uint64_t bytes) {
  constexpr uint64_t kPrime = 0x9e3779b97f4a7c15;
  uint64_t lanes[4] = {1, 2, 3, 4};
  const char* at = static_cast<const char*>(block);
  for (uint64_t i = 0; i + sizeof(lanes) <= bytes; i += sizeof(lanes)) {
    uint64_t words[4];
    std::memcpy(words, at + i, sizeof(words));
    for (int lane = 0; lane < 4; ++lane) {
      lanes[lane] = std::rotl((lanes[lane] ^ words[lane]) * kPrime, 29);
    }
  }
  uint64_t hash = bytes;
  for (const uint64_t lane : lanes) hash = (hash ^ lane ^ (lane >> 32)) * kPrime;
  return hash;
}

bool WriteAll(const File& file, const void* block, uint64_t bytes) {
  const char* at = static_cast<const char*>(block);
  while (bytes > 0) {
    const ssize_t written = write(file.number(), at, bytes);
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<uint64_t>(written);
  }
  return true;
}

// Another may do so at the same time: the first name stays.
bool Publish(const std::string& folder, const std::string& path, const void* block,
             uint64_t bytes) {
  static std::atomic<int> next;
  const std::string unfinished =
      folder + "/." + std::to_string(getpid()) + "-" + std::to_string(next++);
  const File file(
      ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400));
  if (!file.open()) return false;
  const bool done = WriteAll(file, block, bytes) &&
                    (link(unfinished.c_str(), path.c_str()) == 0 || errno == EEXIST);
  unlink(unfinished.c_str());
  return done;
}

// A private view of the file, at a multiple of a huge page; null if there is none to be had.
void* View(const File& file, uint64_t bytes) {
  void* room = mmap(nullptr, bytes + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return nullptr;
  char* begin = static_cast<char*>(room);
  const uint64_t head = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (head > 0) munmap(begin, head);
  munmap(begin + head + bytes, kHugePage - head);
  void* view = mmap(begin + head, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file.number(), 0);
  if (view != MAP_FAILED) return view;
  munmap(begin + head, bytes);
  return nullptr;
}

bool TakeFrom(const File& file, void* block, uint64_t bytes) {
  struct stat about {};
  if (fstat(file.number(), &about) != 0 || static_cast<uint64_t>(about.st_size) != bytes) {
    return false;
  }
  void* view = View(file, bytes);
  if (view == nullptr) return false;
  if (madvise(view, bytes, MADV_COLLAPSE) == 0 && std::memcmp(view, block, bytes) == 0 &&
      mremap(view, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, block) == block) {
    return true;
  }
  munmap(view, bytes);
  return false;
}

}  // namespace

bool ShareBlock(const std::string& folder, void* block, uint64_t bytes) {
  if (MostlyUntouched(block, bytes)) return false;
  char name[64];
  std::snprintf(name, sizeof(name), "/%llx-%016llx", static_cast<unsigned long long>(bytes),
                static_cast<unsigned long long>(HashOf(block, bytes)));
  const std::string path = folder + name;
  constexpr int kRead = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  if (access(path.c_str(), F_OK) != 0 && !Publish(folder, path, block, bytes)) return false;
  const File file(::open(path.c_str(), kRead));
  return file.open() && TakeFrom(file, block, bytes);
}

}  // namespace tenon::cpu
