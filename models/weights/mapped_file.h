// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "tenon/result.h"

namespace tenon::models {

// How the bytes of a map will be used; see madvise(2).
enum class Access { kNormal, kSequential, kRandom, kSoon, kNoMore };

// A regular file, mapped read-only. Owns the map; the bytes stay where they are when the object is
// moved. Nothing is read before it is touched. A file that is cut short while mapped kills the
// process with SIGBUS: replace model files by renaming, not by writing over them.
// Thread: const methods from any.
class MappedFile {
 public:
  // Fails where the path is missing, unreadable, empty, or no regular file; the message says which.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> Bytes() const { return {data_, size_}; }
  const std::string& Path() const { return path_; }

  // Tells the kernel how [offset, offset + size) will be used; cut to the file. A hint: it never
  // fails and changes no byte. kNoMore gives the memory back until the bytes are touched again.
  void Advise(Access access, uint64_t offset = 0, uint64_t size = UINT64_MAX) const;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tenon::models
