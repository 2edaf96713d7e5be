// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/verdict.h"

#include <cstdarg>
#include <cstdio>

namespace tenon::testing {

std::string Text(const char* format, ...) {
  char text[600];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return text;
}

}  // namespace tenon::testing
