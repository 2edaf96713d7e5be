// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "tenon/result.h"

namespace tenon::models {

// Reads the little-endian values of a GGUF header one after the other and never past the end. The
// first failure is kept; from then on every read gives zero or nothing, so that a caller may check
// once after several reads. Does not own the bytes.
class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, const std::string& path)
      : path_(path), begin_(reinterpret_cast<const char*>(bytes.data())), size_(bytes.size()) {}

  bool ok() const { return !failed_; }
  const Error& error() const { return error_; }  // REQUIRES: !ok()
  uint64_t Offset() const { return offset_; }
  uint64_t Left() const { return size_ - offset_; }
  const std::string& Path() const { return path_; }

  // `what` names the thing read, for the message if it is cut off.
  template <typename T>
  T Number(const char* what) {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    if (const char* from = Bytes(sizeof(T), what)) std::memcpy(&value, from, sizeof(T));
    return value;
  }

  // A string: u64 length, then that many bytes. A view into the bytes.
  std::string_view Text(const char* what);

  // The next `size` bytes, or null if there are fewer.
  const char* Bytes(uint64_t size, const char* what);

  // Whether `count` things of at least `smallest` bytes each can still follow. Fails if not, before
  // anybody makes room for them.
  bool CanHold(uint64_t count, uint64_t smallest, const char* what);

  // Remembers that the file is wrong: "<path>: not a valid GGUF file: <problem>".
  void Fail(const std::string& problem);

 private:
  const std::string& path_;
  const char* begin_;
  uint64_t size_;
  uint64_t offset_ = 0;
  bool failed_ = false;
  Error error_;
};

}  // namespace tenon::models
