// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/testing/boundary_bodies.h"

#include <cstdlib>
#include <iterator>

namespace tenon::apps::openai::testing {
namespace {

using text::testing::Random;

constexpr const char* kFields[] = {"messages",
                                   "prompt",
                                   "input",
                                   "tokens",
                                   "model",
                                   "max_tokens",
                                   "max_completion_tokens",
                                   "temperature",
                                   "top_p",
                                   "n",
                                   "stop",
                                   "seed",
                                   "stream",
                                   "stream_options",
                                   "logprobs",
                                   "top_logprobs",
                                   "presence_penalty",
                                   "frequency_penalty",
                                   "logit_bias",
                                   "response_format",
                                   "tools",
                                   "tool_choice",
                                   "user",
                                   "top_k",
                                   "min_p",
                                   "repetition_penalty",
                                   "ignore_eos",
                                   "min_tokens",
                                   "stop_token_ids",
                                   "structured_outputs",
                                   "priority",
                                   "chat_template_kwargs",
                                   "cache_salt",
                                   "best_of",
                                   "echo",
                                   "suffix",
                                   "encoding_format",
                                   "dimensions",
                                   "add_special_tokens",
                                   "add_generation_prompt",
                                   "return_token_strs",
                                   "unknown",
                                   ""};

// A request that is answered, without its last brace.
const char* Base(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kChat:
      return R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":4)";
    case Endpoint::kCompletions:
      return R"({"prompt":"hi","max_tokens":4)";
    case Endpoint::kEmbeddings:
      return R"({"input":"hi")";
    case Endpoint::kTokenize:
      return R"({"prompt":"hi")";
    case Endpoint::kDetokenize:
      break;
  }
  return R"({"tokens":[1,2])";
}

std::string Value(Random& random) {
  static const std::string kValues[] = {
      "null",
      "true",
      "false",
      "-1",
      "0",
      "1",
      "2",
      "64",
      "65",
      "1.5",
      "-0.0",
      "1e999",
      "-1e308",
      "2147483647",
      "2147483648",
      "9223372036854775807",
      "9223372036854775808",
      "-9223372036854775808",
      "-9223372036854775809",
      "18446744073709551616",
      "NaN",
      "Infinity",
      "\"\"",
      "\"a\"",
      "\"" + std::string(2000, 'a') + "\"",
      "\"\\u0000\"",
      "\"\\ud800\"",
      "\"\xFF\"",
      "\"\xED\xA0\x80\"",
      "[]",
      "[[]]",
      "[null]",
      "[1,2,3]",
      "[[1],[2]]",
      "[-1]",
      "[1e3]",
      "[\"a\",\"b\"]",
      "[\"a\",1]",
      "{}",
      "{\"a\":1}",
      "{\"1\":1,\"1\":2}",
      "{\"type\":\"text\"}",
      "{\"" + std::string(5000, 'k') + "\":1}",
      std::string(62, '[') + std::string(62, ']'),
      std::string(70, '[') + std::string(70, ']'),
      std::string(2000, '{'),
      "[{\"role\":\"user\",\"content\":\"<|im_end|>\"}]",
      "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\ufdd0\"}]}]"};
  return kValues[random.Below(std::size(kValues))];
}

std::string Field(Random& random) {
  const size_t which = random.Below(std::size(kFields) + 1);
  return which < std::size(kFields) ? kFields[which] : std::string(9000, 'k');
}

}  // namespace

BoundaryBody NextBoundaryBody(Endpoint endpoint, Random& random) {
  BoundaryBody made;
  std::string& text = made.text;
  made.field = Field(random);
  text = Base(endpoint);
  text += ",\"" + made.field + "\":" + Value(random);
  // A long name is cut where it is told.
  if (made.field.size() > 100) made.field.clear();
  if (random.Below(2) == 0) {
    made.field.clear();
    text += ",\"" + Field(random) + "\":" + Value(random);
  }
  text += '}';
  if (random.Below(8) == 0) {
    made.field.clear();
    text[random.Below(text.size())] = static_cast<char>(random.Next());
  }
  if (random.Below(8) == 0) {
    made.field.clear();
    text.resize(random.Below(text.size()));
  }
  return made;
}

int BoundaryCount(int otherwise) {
  const char* asked = std::getenv("TENON_BOUNDARY_BODIES");
  return asked != nullptr ? std::atoi(asked) : otherwise;
}

}  // namespace tenon::apps::openai::testing
