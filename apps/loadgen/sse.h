// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::apps {

// Takes server-sent events apart (WHATWG HTML, 9.2.6): what their `data:` lines say. Comments and
// other fields are left out.
class SseReader {
 public:
  // Calls `on_data` for each event that these bytes complete. kInvalid where an event grows beyond
  // 16 MiB; nothing is read after that.
  Result<void> Feed(std::string_view bytes, const std::function<void(std::string_view)>& on_data);

 private:
  std::string line_;  // not ended yet
  std::string data_;  // of the event that is not ended yet
  bool has_data_ = false;
  bool after_cr_ = false;  // a line ended with CR; an LF that follows belongs to it
};

}  // namespace tenon::apps
