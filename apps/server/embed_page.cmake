# SPDX-License-Identifier: Apache-2.0
# cmake -DPAGE=index.html -DOUT=page_text.cc -P embed_page.cmake: the page as a string, in pieces that any compiler
# takes.
file(READ ${PAGE} text)
string(LENGTH "${text}" length)
set(pieces "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "    R\"TENONPAGE(${piece})TENONPAGE\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUT} "// Generated from the page.
#include \"apps/server/page.h\"

namespace tenon::apps::server {

std::string_view Page() {
  static constexpr std::string_view kText =
${pieces}      \"\";
  return kText;
}

}  // namespace tenon::apps::server
")
