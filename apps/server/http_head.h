// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The head of an HTTP/1 request, read strictly (RFC 9112): what another server in front of this one
// could read otherwise is refused, so that both always agree where a request ends.
namespace tenon::apps::server {

// Why a request cannot be framed. Answered once, then the connection is closed.
struct FramingError {
  int status = 400;
  const char* why = "";  // never holds what the client sent
};

struct RequestHead {
  std::string method;
  std::string path;  // as sent, from its "/"
  std::string query;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  bool upgrades = false;                 // "Connection: upgrade" is there
  std::optional<uint64_t> body_bytes{};  // of Content-Length

  // The first field of that name, in lower case; nullptr: none.
  const std::string* Find(std::string_view name) const;
  bool HasBody() const { return chunked || body_bytes.value_or(0) > 0; }
};

struct HeadScan {
  size_t bytes = 0;  // of the whole head with its empty line; 0: it goes on
  std::optional<FramingError> error{};
};

// Looks for a head's end in what has arrived so far. What no head may hold is found at once: a line
// feed without its carriage return, control characters, an empty first line, too many bytes.
HeadScan ScanHead(std::string_view arrived, size_t most_bytes);

// Reads a whole head, as ScanHead found it. Refused are: Transfer-Encoding other than `chunked`, or
// with Content-Length, or in HTTP/1.0; a missing or repeated Host; a repeated or odd
// Content-Length; folded lines; spaces around names; targets other than a path; other versions.
std::optional<FramingError> ParseHead(std::string_view head, RequestHead* out);

// Whether a comma-separated list holds `word`, whatever its case.
bool HasWord(std::string_view list, std::string_view word);

// A path's or query's text without its %XX; nullopt where they are broken or spell a NUL.
std::optional<std::string> DecodePercent(std::string_view text);

// The value of `name` in a query; empty: none, or broken.
std::string QueryValue(std::string_view query, std::string_view name);

}  // namespace tenon::apps::server
