// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/sse.h"

namespace tenon::apps {
namespace {

constexpr size_t kMostBytes = size_t{16} << 20;

}  // namespace

Result<void> SseReader::Feed(std::string_view bytes,
                             const std::function<void(std::string_view)>& on_data) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const size_t end = bytes.find_first_of("\r\n");
    line_.append(bytes.substr(0, end));
    if (line_.size() + data_.size() > kMostBytes) {
      return Error{Status::kInvalid, "an event of the stream is larger than 16 MiB"};
    }
    if (end == std::string_view::npos) return {};
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (line_.empty()) {
      if (has_data_) on_data(data_);
      data_.clear();
      has_data_ = false;
    } else if (line_.starts_with("data:")) {
      if (has_data_) data_ += '\n';
      data_ += std::string_view(line_).substr(line_.starts_with("data: ") ? 6 : 5);
      has_data_ = true;
    }
    line_.clear();
  }
  return {};
}

}  // namespace tenon::apps
