// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "text/token_decoder.h"
#include "text/utf8.h"

namespace tenon::text {
namespace {

class ReplaceFilter final : public TextFilter {
 public:
  ReplaceFilter(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  std::string Push(std::string_view part) override {
    held_ += part;
    std::string out;
    size_t done = 0;
    for (size_t at; (at = held_.find(from_, done)) != std::string::npos; done = at + from_.size()) {
      out.append(held_, done, at - done).append(to_);
    }
    size_t keep = std::min(from_.size() - 1, held_.size() - done);
    while (keep > 0 && held_.compare(held_.size() - keep, keep, from_, 0, keep) != 0) --keep;
    out.append(held_, done, held_.size() - keep - done);
    held_.erase(0, held_.size() - keep);
    return out;
  }

  std::string Flush() override { return std::exchange(held_, {}); }

 private:
  std::string from_, to_;
  std::string held_;  // the beginning of a match, perhaps
};

class StripFilter final : public TextFilter {
 public:
  StripFilter(std::string c, size_t start, size_t stop)
      : c_(std::move(c)), start_(start), stop_(stop), left_(start) {}

  std::string Push(std::string_view part) override {
    while (left_ > 0 && !part.empty()) {
      left_ = part.starts_with(c_) ? left_ - 1 : 0;
      if (part.starts_with(c_)) part.remove_prefix(c_.size());
    }
    std::string out = std::exchange(held_, {}).append(part);
    size_t end = out.size();
    for (size_t i = 0; i < stop_ && std::string_view(out).substr(0, end).ends_with(c_); ++i) {
      end -= c_.size();
    }
    held_ = out.substr(end);
    out.resize(end);
    return out;
  }

  std::string Flush() override {
    held_.clear();
    left_ = start_;
    return {};
  }

 private:
  std::string c_;
  size_t start_, stop_;
  size_t left_;       // to take off at the start
  std::string held_;  // what is the end, perhaps
};

}  // namespace

std::unique_ptr<TextFilter> MakeReplaceFilter(std::string from, std::string to) {
  return std::make_unique<ReplaceFilter>(std::move(from), std::move(to));
}

std::unique_ptr<TextFilter> MakeStripFilter(char32_t c, size_t start, size_t stop) {
  std::string utf8;
  AppendUtf8(c, &utf8);
  return std::make_unique<StripFilter>(std::move(utf8), start, stop);
}

}  // namespace tenon::text
