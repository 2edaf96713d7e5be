# SPDX-License-Identifier: Apache-2.0
# What makes a shared object a good plugin. Installed with the SDK, used by this tree and by plugins outside it
# alike.
set(TENON_PLUGIN_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/TenonPlugin.map)

# tenon_plugin_properties(TARGET): only the entry is exported; no symbol stays undefined; unique symbols are off,
# since two builds of one plugin would otherwise share their static state.
function(tenon_plugin_properties target)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so"
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON
    LINK_DEPENDS ${TENON_PLUGIN_EXPORTS})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
  endif()
  target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL -Wl,--version-script=${TENON_PLUGIN_EXPORTS})
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND NOT TENON_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
endfunction()

# tenon_add_plugin(NAME SOURCES ... [LIBS ...]): the plugin NAME.so, made of SOURCES with the public SDK.
function(tenon_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_add_plugin(${name}): expected SOURCES and, if any, LIBS; saw \"${ARGN}\"")
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE Tenon::sdk ${ARG_LIBS})
  tenon_plugin_properties(${name})
endfunction()
