# SPDX-License-Identifier: Apache-2.0
# What makes a shared object a good plugin. Installed with the SDK, used by this tree and by plugins outside it
# alike.
set(TENON_PLUGIN_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/TenonPlugin.map)
set(TENON_PLUGIN_NOTE ${CMAKE_CURRENT_LIST_DIR}/TenonNote.cc.in)

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

# _tenon_cuda_major(OUT LIBS...): the major of the CUDA toolkit where one of LIBS is its (CUDA::cudart_static), or "".
function(_tenon_cuda_major out)
  set(${out} "" PARENT_SCOPE)
  if(NOT "${ARGN}" MATCHES "CUDA::")
    return()
  endif()
  if(CUDAToolkit_VERSION_MAJOR)
    set(${out} ${CUDAToolkit_VERSION_MAJOR} PARENT_SCOPE)
  elseif(CMAKE_CUDA_COMPILER_VERSION MATCHES "^([0-9]+)")
    set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
  endif()
endfunction()

# tenon_plugin_note(TARGET [ID id] [VERSION version] [FAMILIES ...] [ISA ...] [CUDA major]): what tenon/plugin_note.h
# describes. CUDA: the major of the toolkit that the plugin links; a host whose driver is older refuses it unopened. ISA
# is what every file of the plugin is compiled for, as /proc/cpuinfo calls it (avx2, avx512f, amx_int8): a host refuses
# the plugin unopened on a processor that lacks one of them. What is chosen at run time does not belong there.
function(tenon_plugin_note target)
  cmake_parse_arguments(ARG "" "ID;VERSION;CUDA" "FAMILIES;ISA" ${ARGN})
  list(JOIN ARG_FAMILIES " " families)
  list(JOIN ARG_ISA " " isa)
  set(TENON_NOTE_TEXT "id=${ARG_ID}\\nversion=${ARG_VERSION}\\nfamilies=${families}\\nisa=${isa}\\n")
  if(NOT "${ARG_CUDA}" STREQUAL "")
    string(APPEND TENON_NOTE_TEXT "cuda=${ARG_CUDA}\\n")
  endif()
  if(NOT "${ARG_ID}${ARG_VERSION}${families}${isa}${ARG_CUDA}" MATCHES "^[A-Za-z0-9_. -]*$")
    message(FATAL_ERROR "tenon_plugin_note(${target}): letters, digits, \".\", \"_\" and \"-\" allowed; saw \"${ARGN}\"")
  endif()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}_note.cc)
  configure_file(${TENON_PLUGIN_NOTE} ${source} @ONLY)
  target_sources(${target} PRIVATE ${source})
endfunction()

# tenon_add_plugin(NAME SOURCES ... [LIBS ...] [ID ...] [VERSION ...] [FAMILIES ...] [ISA ...]): the plugin NAME.so, made
# of SOURCES with the public SDK, and its note, with CUDA's major where LIBS has one of CMake's CUDA:: libraries.
function(tenon_add_plugin name)
  cmake_parse_arguments(ARG "" "ID;VERSION" "SOURCES;LIBS;FAMILIES;ISA" ${ARGN})
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_add_plugin(${name}): expected SOURCES, LIBS, ID, VERSION, FAMILIES, ISA; saw \"${ARGN}\"")
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE Tenon::sdk ${ARG_LIBS})
  tenon_plugin_properties(${name})
  _tenon_cuda_major(cuda ${ARG_LIBS})
  tenon_plugin_note(${name} ID "${ARG_ID}" VERSION "${ARG_VERSION}" FAMILIES ${ARG_FAMILIES} ISA ${ARG_ISA} CUDA "${cuda}")
endfunction()
