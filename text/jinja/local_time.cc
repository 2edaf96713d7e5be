// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/local_time.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace tenon::text::jinja {
namespace {

constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

std::chrono::sys_days DaysOf(const LocalTime& time) {
  return std::chrono::year(time.year) / std::chrono::month(static_cast<unsigned>(time.month)) /
         std::chrono::day(static_cast<unsigned>(time.day));
}

// ISO 8601: the week that holds the year's first Thursday is its week 1.
struct IsoWeek {
  int year, week;
};

IsoWeek IsoWeekOf(std::chrono::sys_days date) {
  using std::chrono::days;
  const int weekday = static_cast<int>(std::chrono::weekday(date).iso_encoding());
  const std::chrono::sys_days thursday = date + days(4 - weekday);
  const int year = static_cast<int>(std::chrono::year_month_day(thursday).year());
  const std::chrono::sys_days first = std::chrono::year(year) / 1 / 1;
  return {year, static_cast<int>((thursday - first).count()) / 7 + 1};
}

// Expands one directive after another.
class Formatter {
 public:
  explicit Formatter(const LocalTime& time)
      : time_(time),
        date_(DaysOf(time)),
        weekday_(static_cast<int>(std::chrono::weekday(date_).c_encoding())),
        year_day_(static_cast<int>(
            (date_ - std::chrono::sys_days(std::chrono::year(time.year) / 1 / 1)).count())) {}

  std::string Format(std::string_view format) {
    for (size_t at = 0; at < format.size();) {
      size_t end = at + 1;
      flag_ = '\0';
      if (format[at] == '%') {
        while (end < format.size() && std::string_view("-_0^").find(format[end]) < 4) {
          flag_ = format[end++];
        }
        if (end < format.size() && Directive(format[end])) {
          at = end + 1;
          continue;
        }
      }
      out_ += format.substr(at, end - at);
      at = end;
    }
    return std::move(out_);
  }

 private:
  bool Directive(char letter);
  bool Composed(char letter);
  void Number(int value, size_t width, char fill = '0') {
    if (flag_ == '_') fill = ' ';
    if (flag_ == '0') fill = '0';
    const std::string digits = std::to_string(value);
    if (flag_ != '-' && digits.size() < width) out_.append(width - digits.size(), fill);
    out_ += digits;
  }
  void Text(std::string_view text) {
    for (const char c : text) out_.push_back(flag_ == '^' && c >= 'a' && c <= 'z' ? c - 32 : c);
  }
  void More(std::string_view format) { out_ += Formatter(time_).Format(format); }
  int Hour12() const { return (time_.hour + 11) % 12 + 1; }

  const LocalTime& time_;
  std::chrono::sys_days date_;
  int weekday_;   // 0: Sunday
  int year_day_;  // from 0
  char flag_ = '\0';
  std::string out_;
};

bool Formatter::Directive(char letter) {
  switch (letter) {
    case 'a':
      return Text(kDays[weekday_].substr(0, 3)), true;
    case 'A':
      return Text(kDays[weekday_]), true;
    case 'b':
    case 'h':
      return Text(kMonths[time_.month - 1].substr(0, 3)), true;
    case 'B':
      return Text(kMonths[time_.month - 1]), true;
    case 'C':
      return Number(time_.year / 100, 2), true;
    case 'd':
      return Number(time_.day, 2), true;
    case 'e':
      return Number(time_.day, 2, ' '), true;
    case 'f':
      return Number(time_.microsecond, 6), true;
    case 'H':
      return Number(time_.hour, 2), true;
    case 'I':
      return Number(Hour12(), 2), true;
    case 'j':
      return Number(year_day_ + 1, 3), true;
    case 'k':
      return Number(time_.hour, 2, ' '), true;
    case 'l':
      return Number(Hour12(), 2, ' '), true;
    case 'm':
      return Number(time_.month, 2), true;
    case 'M':
      return Number(time_.minute, 2), true;
    case 'S':
      return Number(time_.second, 2), true;
    case 'y':
      return Number(time_.year % 100, 2), true;
    case 'Y':
      return Number(time_.year, 1), true;
    default:
      return Composed(letter);
  }
}

bool Formatter::Composed(char letter) {
  const IsoWeek iso = IsoWeekOf(date_);
  switch (letter) {
    case 'c':
      return More("%a %b %e %H:%M:%S %Y"), true;
    case 'D':
    case 'x':
      return More("%m/%d/%y"), true;
    case 'F':
      return More("%Y-%m-%d"), true;
    case 'g':
      return Number(iso.year % 100, 2), true;
    case 'G':
      return Number(iso.year, 1), true;
    case 'n':
      return out_.push_back('\n'), true;
    case 'p':
      return Text(time_.hour < 12 ? "AM" : "PM"), true;
    case 'P':
      return Text(time_.hour < 12 ? "am" : "pm"), true;
    case 'r':
      return More("%I:%M:%S %p"), true;
    case 'R':
      return More("%H:%M"), true;
    case 't':
      return out_.push_back('\t'), true;
    case 'T':
    case 'X':
      return More("%H:%M:%S"), true;
    case 'u':
      return Number((weekday_ + 6) % 7 + 1, 1), true;
    case 'U':
      return Number((year_day_ + 7 - weekday_) / 7, 2), true;
    case 'V':
      return Number(iso.week, 2), true;
    case 'w':
      return Number(weekday_, 1), true;
    case 'W':
      return Number((year_day_ + 7 - (weekday_ + 6) % 7) / 7, 2), true;
    case 'z':
    case 'Z':
      return true;
    case '%':
      return out_.push_back('%'), true;
    default:
      return false;
  }
}

}  // namespace

LocalTime CurrentLocalTime() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local = {};
  localtime_r(&seconds, &local);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  return {local.tm_year + 1900,
          local.tm_mon + 1,
          local.tm_mday,
          local.tm_hour,
          local.tm_min,
          std::min(local.tm_sec, 59),
          static_cast<int>((micros % 1'000'000 + 1'000'000) % 1'000'000)};
}

std::string FormatTime(const LocalTime& time, std::string_view format) {
  LocalTime valid = time;
  valid.year = std::clamp(time.year, 1, 9999);
  valid.month = std::clamp(time.month, 1, 12);
  valid.day = std::clamp(time.day, 1, 31);
  return Formatter(valid).Format(format);
}

}  // namespace tenon::text::jinja
