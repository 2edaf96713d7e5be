# SPDX-License-Identifier: Apache-2.0
# tenon_room, tenon_plugin, tenon_test, tenon_fuzz: the ways to add a target to this tree.

# Exposes <room>/ and nothing else as #include "<room>/...": a wrong-way include does not compile.
function(_tenon_room_includes target room scope)
  set(view ${PROJECT_BINARY_DIR}/rooms/${room})
  file(MAKE_DIRECTORY ${view})
  if(NOT EXISTS ${view}/${room})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${room} ${view}/${room} SYMBOLIC)
  endif()
  target_include_directories(${target} ${scope} ${view})
endfunction()

# Instruction-set flags by file name: *_avx2.cc, *_avx2vnni.cc, *_avx512.cc.
function(_tenon_isa_flags)
  foreach(source IN LISTS ARGN)
    if(source MATCHES "_avx512[a-z]*\\.cc$")
      set(flags -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c -mbmi2 -mprefer-vector-width=512)
    elseif(source MATCHES "_avx2vnni\\.cc$")
      set(flags -mavx2 -mfma -mf16c -mbmi2 -mavxvnni)
    elseif(source MATCHES "_avx2\\.cc$")
      set(flags -mavx2 -mfma -mf16c -mbmi2)
    else()
      continue()
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
  endforeach()
endfunction()

# tenon_room(NAME SOURCES ... LIBS ... [ROOM dir] [KERNEL]): the static library tenon_<NAME>.
# KERNEL leaves _GLIBCXX_ASSERTIONS out and optimises also in debug builds.
function(tenon_room name)
  cmake_parse_arguments(ARG "KERNEL" "ROOM" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_ROOM)
    set(ARG_ROOM ${name})
  endif()
  add_library(tenon_${name} STATIC ${ARG_SOURCES})
  set_target_properties(tenon_${name} PROPERTIES TENON_KERNEL "${ARG_KERNEL}")
  if(ARG_KERNEL)
    target_compile_options(tenon_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O3>)
  endif()
  _tenon_isa_flags(${ARG_SOURCES})
  _tenon_room_includes(tenon_${name} ${ARG_ROOM} PUBLIC)
  target_link_libraries(tenon_${name} PUBLIC Tenon::sdk ${ARG_LIBS} PRIVATE tenon_flags)
endfunction()

# tenon_test(NAME SOURCES ... LIBS ... [LABELS ...] [TIMEOUT s]): a GoogleTest binary, one ctest entry a binary.
function(tenon_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  find_package(GTest REQUIRED)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} Tenon::sdk tenon_flags GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    TENON_SOURCE_DIR="${PROJECT_SOURCE_DIR}" TENON_BINARY_DIR="${PROJECT_BINARY_DIR}"
    TENON_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
    ENVIRONMENT "TENON_PLUGIN_PATH=${PROJECT_BINARY_DIR}/${TENON_PLUGIN_DIRECTORY}")
endfunction()

# tenon_fuzz(NAME SOURCES ... LIBS ...): a libFuzzer binary, in builds with TENON_FUZZ only; NAME ends in _fuzz.
# .ci/run runs each for a minute. A folder tests/data/fuzz/<NAME> holds its first inputs, if any.
function(tenon_fuzz name)
  if(NOT TENON_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} Tenon::sdk tenon_flags -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
endfunction()

# tenon_plugin(FAMILY NAME SOURCES ... [LIBS ...] [TEST ...] [LABELS ...]): <family>_<name>.so from plugin.cc
# and SOURCES. Also tenon_<family>_<name>_static, the same with the entry tenon_plugin_v1_<family>_<name>, which
# the technique's own test and the static build link.
function(tenon_plugin family name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;TEST;LABELS" ${ARGN})
  set(target tenon_${family}_${name})
  set(objects ${target}_objects)
  _tenon_isa_flags(${ARG_SOURCES})
  add_library(${objects} OBJECT ${ARG_SOURCES})
  _tenon_room_includes(${objects} plugins PUBLIC)
  target_link_libraries(${objects} PUBLIC Tenon::sdk ${ARG_LIBS} PRIVATE tenon_flags)

  add_library(${target} MODULE plugin.cc)
  target_link_libraries(${target} PRIVATE ${objects} Tenon::sdk ${ARG_LIBS} tenon_flags)
  tenon_plugin_properties(${target})
  _tenon_cuda_major(cuda ${ARG_LIBS})
  tenon_plugin_note(${target} ID tenon.${family}.${name} VERSION ${PROJECT_VERSION} FAMILIES ${family} CUDA "${cuda}")
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${family}_${name}
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${TENON_PLUGIN_DIRECTORY})
  install(TARGETS ${target} LIBRARY DESTINATION ${TENON_PLUGIN_DIRECTORY})
  set_property(GLOBAL APPEND PROPERTY TENON_PLUGINS ${target})
  if(NOT TARGET tenon_plugins)
    add_custom_target(tenon_plugins)
  endif()
  add_dependencies(tenon_plugins ${target})

  add_library(${target}_static STATIC plugin.cc $<TARGET_OBJECTS:${objects}>)
  target_compile_definitions(${target}_static PRIVATE TENON_PLUGIN_ENTRY=tenon_plugin_v1_${family}_${name})
  target_include_directories(${target}_static PUBLIC $<TARGET_PROPERTY:${objects},INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(${target}_static PUBLIC Tenon::sdk ${ARG_LIBS} PRIVATE tenon_flags)
  set_property(GLOBAL APPEND PROPERTY TENON_STATIC_PLUGINS ${family}_${name})

  if(ARG_TEST)
    tenon_test(${family}_${name}_test SOURCES ${ARG_TEST} LIBS ${target}_static LABELS plugins ${ARG_LABELS})
  endif()
endfunction()
