// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/result.h"

namespace tenon::core {

// A text that values come from: a file, or one --set of the command line.
struct Source {
  std::string name;           // as the user wrote it: "configs/a.yaml", "--set attention.tile=64"
  std::string folder;         // what relative paths in it start from; "" for the current folder
  std::string text;           // all of it
  bool command_line = false;  // has no lines to show
  int32_t order = 0;          // in which errors are told
};

// A place in a source; sources outlive what points to them. Lines and columns count from 1; line 0
// is the source as a whole.
struct Mark {
  const Source* source = nullptr;
  int32_t line = 0;
  int32_t column = 0;  // in characters
};

// "p.yaml:14:11", "p.yaml" for the whole, "--set attention.tile=64".
std::string Where(const Mark& mark);

// Everything that is wrong with a pipeline, so that the user reads it all at once. Codes:
//   TN200 not YAML, or more of it than a pipeline needs   TN205 there is no model
//   TN201 a key or an option that does not exist           TN206 an environment variable is not set
//   TN202 a value that is not allowed                      TN207 a file cannot be read
//   TN203 a component that does not exist                  TN208 a --set that cannot be understood
//   TN204 a key that is there twice
// and those of refusal.h, TN107 (component of another family).
class Diagnostics {
 public:
  // Only the first error of a line and column is kept.
  void Add(const std::string& code, const Mark& mark, const std::string& text);

  bool empty() const { return found_.empty(); }

  // All of them by place, each with its source line and a caret; the code is the first one's.
  // REQUIRES: !empty()
  Error Join() const;

 private:
  struct Found {
    std::string code;
    Mark mark;
    std::string text;
  };
  std::vector<Found> found_;
};

}  // namespace tenon::core
