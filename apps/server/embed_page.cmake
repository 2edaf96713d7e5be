# SPDX-License-Identifier: Apache-2.0
# cmake -DPAGE=folder -DOUT=page_text.cc -P embed_page.cmake: the folder's page with its style and script inside, as a
# string, in pieces that any compiler takes.
file(READ ${PAGE}/index.html text)
file(READ ${PAGE}/page.css style)
file(READ ${PAGE}/page.js script)
set(link "<link rel=\"stylesheet\" href=\"page.css\">")
set(source "<script src=\"page.js\" defer></script>")
foreach(part IN ITEMS link source)
  string(FIND "${text}" "${${part}}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "${PAGE}/index.html does not hold ${${part}}")
  endif()
endforeach()
string(REPLACE "${link}" "<style>${style}</style>" text "${text}")
string(REPLACE "${source}" "" text "${text}")
# A script inside the page cannot be deferred: it stands at the end.
string(REPLACE "</body>" "<script>${script}</script></body>" text "${text}")

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
