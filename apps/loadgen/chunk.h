// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::apps {

// What one chunk of an OpenAI stream says that is measured.
struct StreamChunk {
  bool readable = false;  // JSON of the shape that is expected
  bool token = false;     // it carries output: text, tool calls or reasoning
  bool finished = false;  // a choice names why it ended
  int64_t input_tokens = -1, output_tokens = -1, cached_tokens = -1;  // usage, where it is told
  std::string error;                                                  // the server's message
};

// A delta that only names a role carries no output, nor does a last chunk with a finish_reason and
// an empty text; an empty text before is a token whose bytes are still to come.
StreamChunk ReadChunk(std::string_view json);

// The `error.message` of an answer, or as much of the body as a line takes.
std::string ErrorText(std::string_view body);

}  // namespace tenon::apps
