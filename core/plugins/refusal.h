// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/result.h"

namespace tenon::core {

// Why a plugin's file, or one of its components, cannot be used. The codes:
//   TN101 the file or a library that it needs is missing, or it is no shared object
//   TN102 it exports no entry
//   TN103 it was built for another ABI
//   TN104 it was built for another machine or by an incompatible compiler
//   TN105 it cannot work on this machine (a component's probe or the file's note says so)
//   TN106 two components of one family have one name
//   TN110 its description of itself is malformed
// An empty code marks a remark: the file was not needed, because another one comes first.
struct Refusal {
  std::string code;
  std::string file;       // absolute, or "built in"
  std::string component;  // where one component is refused, not the file
  std::string cause;      // what is wrong; begins with the file's or the component's name
  std::string cure;       // what to do; may be empty

  // `TN103 libx.so: needs host ABI 2; this host offers 1. Rebuild it with this SDK`
  std::string Text() const;
  // The same without the code, which the Error has apart.
  Error ToError() const;
};

// "libx.so" of "/a/b/libx.so".
std::string FileName(const std::string& path);

}  // namespace tenon::core
