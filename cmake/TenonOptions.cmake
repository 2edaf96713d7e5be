# SPDX-License-Identifier: Apache-2.0
# Build-wide switches, compiler flags and the libraries that rooms may ask for.

set(TENON_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined or thread")
option(TENON_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(TENON_WERROR "Treat warnings as errors" OFF)
set(TENON_CUDA AUTO CACHE STRING "CUDA parts: AUTO (where nvcc is), ON, OFF")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(TENON_PLUGIN_DIRECTORY lib/tenon/plugins)

find_program(TENON_CCACHE ccache)
if(TENON_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TENON_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${TENON_CCACHE})
endif()

include(CheckPIESupported)
check_pie_supported()
find_package(Threads REQUIRED)

# Flags of every target of this tree; rooms and plugins link it, users of the SDK do not.
add_library(tenon_flags INTERFACE)
target_compile_options(tenon_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wno-missing-field-initializers;-fno-math-errno>
  # g++ 12 sees overlaps in its own std::string (PR 105651).
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>
  $<$<AND:$<BOOL:${TENON_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)

if(TENON_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TENON_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  add_link_options(-fsanitize=${TENON_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fstack-protector-strong>)
  add_compile_definitions($<$<COMPILE_LANGUAGE:CXX>:_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
  # Bounds checks of the standard library everywhere but in kernels (see kernels/CMakeLists.txt).
  target_compile_definitions(tenon_flags INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<BOOL:$<TARGET_PROPERTY:TENON_KERNEL>>>>:_GLIBCXX_ASSERTIONS>)
endif()

if(TENON_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "TENON_FUZZ needs clang; this is ${CMAKE_CXX_COMPILER_ID}. Use the preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

set(TENON_HAS_CUDA OFF)
if(NOT TENON_CUDA STREQUAL "OFF" AND NOT TENON_SANITIZE)
  include(CheckLanguage)
  find_program(TENON_NVCC nvcc HINTS /usr/local/cuda/bin)
  if(TENON_NVCC)
    set(CMAKE_CUDA_COMPILER ${TENON_NVCC})
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 90-virtual)
    endif()
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_EXTENSIONS OFF)
    # CMake before 3.26 does not know that nvcc 12 and later can.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    # A conversion of Span to itself is never called: harmless, and said for each use of the template.
    string(APPEND CMAKE_CUDA_FLAGS " -diag-suppress=554")
    find_package(CUDAToolkit REQUIRED)
    set(TENON_HAS_CUDA ON)
  elseif(TENON_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TENON_CUDA=ON, but nvcc was not found; set CUDACXX or TENON_CUDA=OFF")
  endif()
endif()
message(STATUS "Tenon: CUDA parts ${TENON_HAS_CUDA}")
