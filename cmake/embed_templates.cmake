# SPDX-License-Identifier: Apache-2.0
# cmake -DTEMPLATES=sdk/template -DOUT=template_files.cc -P embed_templates.cmake: the table of apps/scaffold's
# template_files.h, so that `tenon new` needs no file at run time.
include(${TEMPLATES}/files.cmake)

set(rows "")
foreach(row IN LISTS TENON_TEMPLATE_FILES)
  string(REPLACE "|" ";" row "${row}")
  list(GET row 0 family)
  list(GET row 1 file)
  list(GET row 2 path)
  file(READ ${TEMPLATES}/${file} text)
  string(APPEND rows "    {\"${family}\", \"${path}\", R\"TEMPLATE(${text})TEMPLATE\"},\n")
endforeach()
file(WRITE ${OUT} "// Generated from sdk/template.
#include \"apps/scaffold/template_files.h\"

namespace tenon::apps {
namespace {

constexpr TemplateFile kFiles[] = {
${rows}};

}  // namespace

std::span<const TemplateFile> TemplateFiles() { return kFiles; }

}  // namespace tenon::apps
")
