// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/checked_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tenon::apps {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  TENON_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

void Sha256::Add(Span<const char> bytes) {
  TENON_CHECK(EVP_DigestUpdate(context_.get(), bytes.data, bytes.size) == 1);
}

std::string Sha256::Hexadecimal() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TENON_CHECK(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

Error FileError(const std::string& doing, const std::filesystem::path& path, int error_number) {
  std::string text =
      doing + " " + path.string() + ": " + std::generic_category().message(error_number);
  if (error_number == ENOSPC || error_number == EDQUOT) {
    text += "; make room there, or set TENON_HOME to a folder on another disk, and pull again";
  } else if (error_number == EACCES || error_number == EROFS || error_number == EPERM) {
    text += "; set TENON_HOME to a folder that you may write to";
  }
  return {Status::kIo, text, ""};
}

CheckedFile::CheckedFile(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

CheckedFile::CheckedFile(CheckedFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      written_(other.written_),
      hash_(std::move(other.hash_)) {}

CheckedFile::~CheckedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<CheckedFile> CheckedFile::Create(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return FileError("making the folder", path.parent_path(), error.value());
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) return FileError("creating", path, errno);
  return CheckedFile(path, descriptor);
}

Result<void> CheckedFile::Write(Span<const char> bytes) {
  hash_.Add(bytes);
  written_ += bytes.size;
  while (!bytes.empty()) {
    const ssize_t wrote = write(descriptor_, bytes.data, bytes.size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError("writing", path_, errno);
    bytes = {bytes.data + wrote, bytes.size - static_cast<uint64_t>(wrote)};
  }
  return {};
}

Result<void> CheckedFile::Finish(uint64_t bytes, const std::string& sha256) {
  const std::string seen = hash_.Hexadecimal();
  if (written_ != bytes || seen != sha256) {
    return Error{Status::kIo,
                 path_.filename().string() + ": " + std::to_string(written_) +
                     " bytes with SHA-256 " + seen + ", expected " + std::to_string(bytes) +
                     " bytes with " + sha256 +
                     "; the package is not the one expected, nothing was stored",
                 ""};
  }
  if (fsync(descriptor_) != 0) return FileError("writing", path_, errno);
  const int closed = close(std::exchange(descriptor_, -1));
  if (closed != 0) return FileError("closing", path_, errno);
  return {};
}

}  // namespace tenon::apps
