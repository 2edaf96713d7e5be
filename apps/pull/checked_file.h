// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tenon/result.h"
#include "tenon/types.h"

struct evp_md_ctx_st;

namespace tenon::apps {

// SHA-256 (FIPS 180-4) of a stream of bytes.
class Sha256 {
 public:
  Sha256();
  void Add(Span<const char> bytes);
  std::string Hexadecimal();  // lower case; ends the stream

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// A new file that is hashed while it is written. The caller gives it its final name once Finish has
// said that it is whole. Thread: one.
class CheckedFile {
 public:
  // Creates `path`, which must not exist, and the folders above it.
  static Result<CheckedFile> Create(const std::filesystem::path& path);
  CheckedFile(CheckedFile&& other) noexcept;
  CheckedFile& operator=(CheckedFile&&) = delete;
  ~CheckedFile();

  // kIo where the disk is full (the message says so) or broken.
  Result<void> Write(Span<const char> bytes);

  // Checks size and SHA-256 and brings the file to the disk (fsync).
  Result<void> Finish(uint64_t bytes, const std::string& sha256);

 private:
  CheckedFile(std::filesystem::path path, int descriptor);

  std::filesystem::path path_;
  int descriptor_;
  uint64_t written_ = 0;
  Sha256 hash_;
};

// What the operating system said (errno), with the cure for a full disk: "writing X: No space left
// …".
Error FileError(const std::string& doing, const std::filesystem::path& path, int error_number);

}  // namespace tenon::apps
