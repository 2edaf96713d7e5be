// SPDX-License-Identifier: Apache-2.0
#include "apps/server/body_reader.h"

#include "boost/asio/buffer.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"

namespace tenon::apps::server {
namespace {

namespace http = boost::beast::http;

// A chunk's own line, or trailers, with no end in sight.
constexpr size_t kMostPendingBytes = 4096;

}  // namespace

struct BodyReader::Parser {
  http::request_parser<http::string_body> http;
  boost::beast::error_code head_error;
};

BodyReader::BodyReader(std::string_view head, uint64_t most_bytes)
    : parser_(std::make_unique<Parser>()) {
  parser_->http.body_limit(most_bytes);
  parser_->http.header_limit(static_cast<std::uint32_t>(head.size() + kMostPendingBytes));
  parser_->http.put(boost::asio::buffer(head.data(), head.size()), parser_->head_error);
}

BodyReader::~BodyReader() = default;

BodyReader::Progress BodyReader::Feed(std::string_view bytes) {
  Progress progress;
  boost::beast::error_code error = parser_->head_error;
  parser_->http.eager(true);
  while (!error && !parser_->http.is_done() && progress.taken < bytes.size()) {
    const std::string_view rest = bytes.substr(progress.taken);
    const size_t taken = parser_->http.put(boost::asio::buffer(rest.data(), rest.size()), error);
    progress.taken += taken;
    if (error == http::error::need_more) {
      error = {};
      if (taken == 0) break;
    }
  }
  progress.done = parser_->http.is_done();
  if (error == http::error::body_limit || error == http::error::buffer_overflow) {
    progress.error = FramingError{413, "the body is too large"};
  } else if (error || (!progress.done && bytes.size() - progress.taken > kMostPendingBytes)) {
    progress.error = FramingError{400, "the body is not framed as its headers say"};
  }
  return progress;
}

std::string BodyReader::Take() { return std::move(parser_->http.get().body()); }

}  // namespace tenon::apps::server
