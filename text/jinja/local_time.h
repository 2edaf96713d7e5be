// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::text::jinja {

// A date and a time of day without a zone, as Python's datetime.now() gives them.
struct LocalTime {
  int year = 1970;  // 1 to 9999
  int month = 1;    // 1 to 12
  int day = 1;      // 1 to 31
  int hour = 0;     // 0 to 23
  int minute = 0;
  int second = 0;
  int microsecond = 0;
};

// This machine's clock.
LocalTime CurrentLocalTime();

// Python's datetime.strftime in the C locale: %a %A %b %B %c %C %d %D %e %f %F %g %G %h %H %I %j %k
// %l %m %M %n %p %P %r %R %S %t %T %u %U %V %w %W %x %X %y %Y %z %Z %%, with glibc's flags - _ 0 ^
// between % and letter. Unknown directives stay as they are.
std::string FormatTime(const LocalTime& time, std::string_view format);

}  // namespace tenon::text::jinja
