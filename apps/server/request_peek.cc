// SPDX-License-Identifier: Apache-2.0
#include "apps/server/request_peek.h"

#include "nlohmann/json.hpp"

namespace tenon::apps::server {
namespace {

using nlohmann::json;

class TopLevel : public nlohmann::json_sax<json> {
 public:
  explicit TopLevel(RequestPeek* out) : out_(out) {}

  bool null() override { return true; }
  bool boolean(bool value) override {
    if (depth_ == 1 && key_ == "stream") out_->streams = value;
    return true;
  }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override {
    if (depth_ == 0) out_->is_object = true;
    ++depth_;
    return true;
  }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override {
    ++depth_;
    return true;
  }
  bool end_array() override { return Leave(); }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    key_ = name.size() <= 16 ? name : "";
    if (key_ == "stream") out_->has_stream = true;
    if (key_ == "messages") out_->endpoint = openai::Endpoint::kChat;
    if (key_ == "prompt") out_->endpoint = openai::Endpoint::kCompletions;
    if (key_ == "input") out_->endpoint = openai::Endpoint::kEmbeddings;
    return true;
  }
  bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

 private:
  bool Leave() {
    --depth_;
    return true;
  }

  RequestPeek* out_;
  int64_t depth_ = 0;
  std::string key_;
};

}  // namespace

RequestPeek Peek(std::string_view body) {
  RequestPeek out;
  TopLevel reader(&out);
  if (!json::sax_parse(body, &reader)) return {};
  return out;
}

std::string AskForStream(std::string body, const RequestPeek& peek) {
  if (!peek.is_object || peek.has_stream) return body;
  const size_t open = body.find('{');
  const bool empty = body.find_first_not_of(" \t\r\n", open + 1) == body.rfind('}');
  return body.insert(open + 1, empty ? "\"stream\":true" : "\"stream\":true,");
}

}  // namespace tenon::apps::server
