// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "tenon/result.h"
#include "tenon/types.h"

struct zip;

namespace tenon::apps {

// A Python wheel (a ZIP archive, PEP 427) open for reading. Hostile archives are expected: names
// inside it never become paths, and nothing is read beyond what the caller expects. Thread: one.
class Wheel {
 public:
  static Result<Wheel> Open(const std::filesystem::path& path);

  // Hands the content of `member` to `sink`, piece by piece, and returns its size. Refused before
  // anything is unpacked if the archive states more than `limit_bytes`; ended when more than that
  // comes out, or less than stated. An error of `sink` ends it too.
  Result<uint64_t> Read(const std::string& member, uint64_t limit_bytes,
                        const std::function<Result<void>(Span<const char>)>& sink) const;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };
  Wheel(std::string name, zip* archive) : name_(std::move(name)), archive_(archive) {}

  std::string name_;  // for messages
  std::unique_ptr<zip, Close> archive_;
};

}  // namespace tenon::apps
