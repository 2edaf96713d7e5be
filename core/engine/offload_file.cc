// SPDX-License-Identifier: Apache-2.0
#include "core/engine/offload_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "fmt/format.h"

namespace tenon::core {
namespace {

constexpr uint64_t kMagic = 0x31564b6e6f6e6554;  // "TenonKV1"
constexpr int kMostFiles = 64;
constexpr int64_t kPage = 4096;  // what is written stands apart from what is not

struct FileHeader {
  uint64_t magic;
  int32_t block_tokens;
  int32_t max_tokens;
  uint64_t block_bytes;
  int32_t slots;
  uint32_t reserved;
  PrefixKey fingerprint;
  PrefixSecret secret;
  PrefixKey sum;  // of all above
};

struct SlotHeader {
  uint64_t magic;
  PrefixKey key;
  uint64_t salt;
  uint64_t stamp;
  int32_t adapter;
  int32_t tokens;
  PrefixKey sum;  // of all above, the tokens and the bytes
};

int64_t RoundUp(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

Span<const uint8_t> BytesOf(const void* data, uint64_t bytes) {
  return {static_cast<const uint8_t*>(data), bytes};
}

PrefixKey SumOf(const FileHeader& header) {
  return SipHash({kMagic, 0}, BytesOf(&header, offsetof(FileHeader, sum)));
}

bool ReadAll(int file, void* to, uint64_t bytes, int64_t offset) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = pread(file, at, bytes, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += got;
    bytes -= static_cast<uint64_t>(got);
  }
  return true;
}

bool WriteAll(int file, const void* from, uint64_t bytes, int64_t offset) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t got = pwrite(file, at, bytes, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += got;
    bytes -= static_cast<uint64_t>(got);
  }
  return true;
}

Error Failed(const std::string& what, const std::string& path) {
  return {Status::kIo, fmt::format("{} {}: {} (memory.offload)", what, path, strerror(errno))};
}

int64_t HeadBytes(const OffloadLayout& layout) {
  return RoundUp(static_cast<int64_t>(sizeof(SlotHeader)) + 4 * int64_t{layout.max_tokens});
}

}  // namespace

OffloadFile::OffloadFile(int file, std::string path, const OffloadLayout& layout)
    : file_(file),
      path_(std::move(path)),
      layout_(layout),
      head_(static_cast<size_t>(HeadBytes(layout))) {}

OffloadFile::~OffloadFile() { close(file_); }

Result<std::unique_ptr<OffloadFile>> OffloadFile::Open(const std::string& folder,
                                                       const OffloadLayout& layout) {
  std::error_code problem;
  const bool made = std::filesystem::create_directories(folder, problem);
  if (made) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, problem);
  if (problem)
    return Error{Status::kIo, fmt::format("{}: {} (memory.offload)", folder, problem.message())};
  for (int i = 0; i < kMostFiles; ++i) {
    std::string path = fmt::format("{}/offload-{}.kv", folder, i);
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return Failed("cannot open", path);
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      close(file);
      continue;
    }
    std::unique_ptr<OffloadFile> out(new OffloadFile(file, std::move(path), layout));
    if (!out->ReadHeader() && !out->WriteHeader()) return Failed("cannot write", out->path_);
    return out;
  }
  return Error{Status::kIo, fmt::format("{}: all of {} files are in use by other processes "
                                        "(memory.offload)",
                                        folder, kMostFiles)};
}

bool OffloadFile::ReadHeader() {
  FileHeader header;
  if (!ReadAll(file_, &header, sizeof(header), 0) || header.magic != kMagic ||
      !(header.sum == SumOf(header))) {
    return false;
  }
  secret_ = header.secret;
  const PrefixKey fingerprint =
      SipHash(secret_, BytesOf(layout_.fingerprint.data(), layout_.fingerprint.size()));
  return header.block_tokens == layout_.block_tokens && header.max_tokens == layout_.max_tokens &&
         header.block_bytes == layout_.block_bytes && header.slots == layout_.slots &&
         header.fingerprint == fingerprint;
}

// Emptied first: what a kill leaves is a file without a header, or one whose slots are all empty.
bool OffloadFile::WriteHeader() {
  secret_ = NewPrefixSecret();
  FileHeader header{};
  header.magic = kMagic;
  header.block_tokens = layout_.block_tokens;
  header.max_tokens = layout_.max_tokens;
  header.block_bytes = layout_.block_bytes;
  header.slots = layout_.slots;
  header.fingerprint =
      SipHash(secret_, BytesOf(layout_.fingerprint.data(), layout_.fingerprint.size()));
  header.secret = secret_;
  header.sum = SumOf(header);
  return ftruncate(file_, 0) == 0 && ftruncate(file_, Offset(layout_.slots)) == 0 &&
         WriteAll(file_, &header, sizeof(header), 0);
}

int64_t OffloadFile::Offset(int32_t slot) const {
  const int64_t bytes = HeadBytes(layout_) + RoundUp(static_cast<int64_t>(layout_.block_bytes));
  return kPage + slot * bytes;
}

PrefixKey OffloadFile::Sum(const OffloadEntry& entry, Span<const int32_t> tokens,
                           Span<const char> bytes) const {
  const PrefixKey of_tokens = SipHash(secret_, BytesOf(tokens.data, tokens.size * 4));
  const PrefixKey of_bytes = SipHash(secret_, BytesOf(bytes.data, bytes.size));
  const uint64_t all[] = {entry.key.low,    entry.key.high,
                          entry.owner.salt, static_cast<uint32_t>(entry.owner.adapter),
                          entry.stamp,      static_cast<uint32_t>(entry.tokens),
                          of_tokens.low,    of_tokens.high,
                          of_bytes.low,     of_bytes.high};
  return SipHash(secret_, BytesOf(all, sizeof(all)));
}

bool OffloadFile::Peek(int32_t slot, OffloadEntry* entry) {
  SlotHeader header;
  if (!ReadAll(file_, &header, sizeof(header), Offset(slot)) || header.magic != kMagic ||
      header.tokens <= 0 || header.tokens > layout_.max_tokens ||
      header.tokens % layout_.block_tokens != 0) {
    return false;
  }
  *entry = {header.key, {header.salt, header.adapter}, header.tokens, header.stamp};
  return true;
}

bool OffloadFile::Read(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens,
                       Span<char> bytes) {
  const uint64_t head_bytes = sizeof(SlotHeader) + tokens.size * 4;
  SlotHeader header;
  if (head_bytes > head_.size() || !ReadAll(file_, head_.data(), head_bytes, Offset(slot))) {
    return false;
  }
  std::memcpy(&header, head_.data(), sizeof(header));
  const bool same = header.magic == kMagic && header.key == entry.key &&
                    header.salt == entry.owner.salt && header.adapter == entry.owner.adapter &&
                    header.tokens == entry.tokens &&
                    static_cast<uint64_t>(header.tokens) == tokens.size &&
                    std::memcmp(head_.data() + sizeof(header), tokens.data, tokens.size * 4) == 0;
  if (!same || !ReadAll(file_, bytes.data, bytes.size, Offset(slot) + HeadBytes(layout_))) {
    return false;
  }
  OffloadEntry found = entry;
  found.stamp = header.stamp;
  return header.sum == Sum(found, tokens, bytes);
}

bool OffloadFile::Write(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens,
                        Span<const char> bytes) {
  const uint64_t head_bytes = sizeof(SlotHeader) + tokens.size * 4;
  if (head_bytes > head_.size()) return false;
  SlotHeader header{};
  header.magic = kMagic;
  header.key = entry.key;
  header.salt = entry.owner.salt;
  header.stamp = entry.stamp;
  header.adapter = entry.owner.adapter;
  header.tokens = entry.tokens;
  header.sum = Sum(entry, tokens, bytes);
  std::vector<char> head(head_bytes);
  std::memcpy(head.data(), &header, sizeof(header));
  std::memcpy(head.data() + sizeof(header), tokens.data, tokens.size * 4);
  if (WriteAll(file_, bytes.data, bytes.size, Offset(slot) + HeadBytes(layout_)) &&
      WriteAll(file_, head.data(), head_bytes, Offset(slot))) {
    return true;
  }
  Clear(slot);
  return false;
}

void OffloadFile::Clear(int32_t slot) {
  const uint64_t nothing = 0;
  WriteAll(file_, &nothing, sizeof(nothing), Offset(slot));
}

}  // namespace tenon::core
