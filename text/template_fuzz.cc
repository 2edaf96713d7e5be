// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/chat_template.h"

// Arbitrary templates over a conversation with a tool: they render or fail, within their budgets.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const auto kMessages = tenon::text::jinja::ParseJson(
      R"([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "h\u00e9 \ud83d\ude0d"},
          {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]}])");
  const std::string_view source(reinterpret_cast<const char*>(bytes), size);
  const auto chat = tenon::text::ChatTemplate::Parse(source);
  if (!chat.ok()) return 0;
  tenon::text::ChatOptions options;
  options.bos_token = "<s>";
  options.tools = options.documents = *kMessages;
  options.now = tenon::text::jinja::LocalTime{2024, 7, 6, 9, 5, 3, 42};
  options.variables.emplace_back("enable_thinking", tenon::text::jinja::Value::Bool(false));
  options.limits = {
      .operations = 20'000, .output_bytes = size_t{1} << 20, .memory_bytes = size_t{4} << 20};
  const auto text = chat->Render(*kMessages, options);
  if (text.ok() && text->size() > options.limits.output_bytes) __builtin_trap();
  return 0;
}
