// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/progress.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace tenon::apps::batch {
namespace {

constexpr int64_t kWidth = 30;
constexpr auto kRedraw = std::chrono::milliseconds(200);

std::string TimeText(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min", (whole + 59) / 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace

std::string ProgressText(int64_t lines, int64_t answered, int64_t skipped, int64_t failed,
                         double seconds) {
  const int64_t done = answered + skipped;
  const int64_t filled = lines > 0 ? std::min(kWidth, kWidth * done / lines) : kWidth;
  std::string text = fmt::format("[{:<{}}] {} of {}", std::string(static_cast<size_t>(filled), '#'),
                                 kWidth, done, lines);
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (answered == 0 || seconds <= 0) return text;
  const double rate = static_cast<double>(answered) / seconds;
  return text + fmt::format(", {:.1f}/s, {} left", rate,
                            TimeText(static_cast<double>(lines - done) / rate));
}

double Progress::Seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

void Progress::Show(int64_t answered, int64_t skipped, int64_t failed) {
  const Clock::time_point now = Clock::now();
  if (!shown_ || now - drawn_ < kRedraw) return;
  drawn_ = now;
  const std::string text = ProgressText(lines_, answered, skipped, failed, Seconds());
  fmt::print(stderr, "\r{:<{}}", text, width_);
  width_ = text.size();
}

void Progress::End() {
  if (shown_ && width_ > 0) fmt::print(stderr, "\r{:<{}}\r", "", width_);
}

}  // namespace tenon::apps::batch
