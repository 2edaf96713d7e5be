// SPDX-License-Identifier: Apache-2.0
#include "models/weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace tenon::models {
namespace {

Error OpenError(const std::string& path, int code) {
  if (code == ENOENT || code == ENOTDIR) {
    return {Status::kNotFound, fmt::format("{}: there is no such file; check the path", path)};
  }
  if (code == EACCES || code == EPERM) {
    return {Status::kIo,
            fmt::format("{}: no permission to read it; check its owner and mode", path)};
  }
  return {Status::kIo, fmt::format("{}: cannot be opened: {}", path, std::strerror(code))};
}

// Closes the descriptor when the scope ends; the map does not need it.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Result<MappedFile> MappedFile::Open(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return Error{Status::kInvalid, "a path holds a zero byte; check the path"};
  }
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return OpenError(path, errno);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return OpenError(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return Error{Status::kInvalid, fmt::format("{}: is a directory; a file is expected", path)};
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{Status::kInvalid, fmt::format("{}: is not a regular file", path)};
  }
  if (info.st_size <= 0) {
    return Error{Status::kInvalid,
                 fmt::format("{}: is empty; was the download interrupted?", path)};
  }
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) {
    return Error{Status::kIo, fmt::format("{}: {} bytes cannot be mapped: {}", path, size,
                                          std::strerror(errno))};
  }
  MappedFile out;
  out.path_ = path;
  out.data_ = static_cast<const std::byte*>(data);
  out.size_ = size;
  return out;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Advise(Access access, uint64_t offset, uint64_t size) const {
  if (data_ == nullptr || offset >= size_) return;
  static const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = offset / page * page;
  const uint64_t end = offset + std::min<uint64_t>(size, size_ - offset);
  int advice = MADV_NORMAL;
  if (access == Access::kSequential) advice = MADV_SEQUENTIAL;
  if (access == Access::kRandom) advice = MADV_RANDOM;
  if (access == Access::kSoon) advice = MADV_WILLNEED;
  if (access == Access::kNoMore) advice = MADV_DONTNEED;
  const int saved = errno;
  (void)::madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);
  errno = saved;
}

}  // namespace tenon::models
