// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "apps/record/line.h"

// Any line: refused with a reason, or understood, and then what is written of it reads the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tenon::apps::record;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto line = ReadLine(text);
  if (!line.ok()) {
    if (line.error().message.empty()) __builtin_trap();
    return 0;
  }
  std::string written = LineOf(*line);
  written.pop_back();
  const auto again = ReadLine(written);
  if (!again.ok() || again->index() != line->index()) __builtin_trap();
  if (LineOf(*again) != written + "\n") __builtin_trap();
  return 0;
}
