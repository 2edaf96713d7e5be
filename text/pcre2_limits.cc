// SPDX-License-Identifier: Apache-2.0
#include "text/pcre2_limits.h"

namespace tenon::text {
namespace {

constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;

}  // namespace

std::string PcreMessage(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

pcre2_match_context* LimitedContext() {
  static pcre2_match_context* const context = [] {
    pcre2_match_context* made = pcre2_match_context_create(nullptr);
    if (made != nullptr) {
      pcre2_set_match_limit(made, kMatchLimit);
      pcre2_set_heap_limit(made, kHeapLimitKib);
    }
    return made;
  }();
  return context;
}

}  // namespace tenon::text
