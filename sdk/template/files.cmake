# SPDX-License-Identifier: Apache-2.0
# What `tenon new FAMILY VENDOR.SHORT` writes. In the files and their names stand, for attention and acme.fast_path:
# @NAME@ acme.fast_path, @VENDOR@ acme, @SHORT@ fast_path, @CLASS@ FastPath, @TARGET@ acme_fast_path,
# @ID@ acme.attention.fast_path.

# Rows "family|file of this folder|its name in the project".
set(TENON_TEMPLATE_FILES "")
foreach(family attention quant scheduler parallel decoding)
  foreach(file CMakeLists.txt ci.sh)
    list(APPEND TENON_TEMPLATE_FILES "${family}|common/${file}.in|${file}")
  endforeach()
  foreach(file gitignore clang-format)
    list(APPEND TENON_TEMPLATE_FILES "${family}|common/${file}.in|.${file}")
  endforeach()
  foreach(file README.md pipeline.yaml plugin.cc)
    list(APPEND TENON_TEMPLATE_FILES "${family}|${family}/${file}.in|${file}")
  endforeach()
  foreach(suffix .h .cc _test.cc)
    list(APPEND TENON_TEMPLATE_FILES "${family}|${family}/component${suffix}.in|@SHORT@${suffix}")
  endforeach()
  if(NOT family STREQUAL "decoding")
    list(APPEND TENON_TEMPLATE_FILES "${family}|common/test_host.h.in|test_host.h")
  endif()
endforeach()
