// SPDX-License-Identifier: Apache-2.0
#include "models/weights/gguf_reader.h"

#include <bit>

#include "fmt/format.h"

namespace tenon::models {

static_assert(std::endian::native == std::endian::little, "GGUF values are copied as they lie");

void GgufReader::Fail(const std::string& problem) {
  if (failed_) return;
  failed_ = true;
  error_ = Error{Status::kInvalid, fmt::format("{}: not a valid GGUF file: {}", path_, problem)};
}

const char* GgufReader::Bytes(uint64_t size, const char* what) {
  if (failed_) return nullptr;
  if (size > Left()) {
    Fail(
        fmt::format("{} at byte {} takes {} bytes, but the file ends after {}; was the download "
                    "interrupted?",
                    what, offset_, size, size_));
    return nullptr;
  }
  const char* from = begin_ + offset_;
  offset_ += size;
  return from;
}

std::string_view GgufReader::Text(const char* what) {
  const uint64_t size = Number<uint64_t>(what);
  const char* from = Bytes(size, what);
  return from != nullptr ? std::string_view(from, size) : std::string_view();
}

bool GgufReader::CanHold(uint64_t count, uint64_t smallest, const char* what) {
  if (failed_) return false;
  if (count > Left() / smallest) {
    Fail(fmt::format("it announces {} {} at byte {}, more than its {} bytes can hold", count, what,
                     offset_, size_));
    return false;
  }
  return true;
}

}  // namespace tenon::models
