// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/server/http_head.h"

namespace tenon::apps::server {

// Reads a request's body as its head frames it, by Content-Length or in chunks, piece by piece.
// Trailers are read and dropped.
class BodyReader {
 public:
  // `head`: the bytes that ParseHead took.
  BodyReader(std::string_view head, uint64_t most_bytes);
  ~BodyReader();

  struct Progress {
    size_t taken = 0;  // of the bytes given
    bool done = false;
    std::optional<FramingError> error{};
  };
  // What is not taken must be given again, with more behind it.
  Progress Feed(std::string_view bytes);

  // REQUIRES: done. The body, once.
  std::string Take();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace tenon::apps::server
