// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/result.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// What one rendering may use.
struct Limits {
  int64_t operations = 1'000'000;
  size_t output_bytes = size_t{8} << 20;
};

// The state of one rendering that every part of the interpreter shares: what is left of its budget,
// the line it is at, and the first error. After an error everything goes on returning undefined
// values and quickly comes to its end; nothing is thrown. One thread.
class Run {
 public:
  explicit Run(const Limits& limits) : limits_(limits), operations_(limits.operations) {}

  const Limits& limits() const { return limits_; }
  void set_line(int line) { line_ = line; }
  int line() const { return line_; }

  // Keeps the first error, with its line. Returns undefined, to be returned in turn.
  Value Fail(const std::string& what);

  // The same, for a value that is missing and the attribute that was asked of it, if one was.
  Value FailUndefined(std::string_view name, std::string_view attribute = {});

  bool failed() const { return failed_; }
  Error error() const { return error_; }

  // False, and failed, once more operations were used than allowed.
  bool Spend(int64_t operations);

  // As much as handling so many bytes is worth, at least one operation.
  bool SpendBytes(size_t bytes) { return Spend(static_cast<int64_t>(bytes / 32) + 1); }

  // As much as looking for `part` in `text` may cost.
  bool SpendSearch(std::string_view text, std::string_view part) {
    return Spend(static_cast<int64_t>((text.size() / 32 + 1) * (part.size() / 32 + 1)));
  }

  // Values whose making is paid for; undefined where that fails.
  Value NewString(std::string text);
  Value NewList(std::vector<Value> items, bool tuple = false);
  Value NewDict(std::vector<Entry> entries);

 private:
  Limits limits_;
  int64_t operations_;
  int line_ = 1;
  bool failed_ = false;
  Error error_;
};

}  // namespace tenon::text::jinja
