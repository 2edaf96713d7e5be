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
  size_t output_bytes = size_t{8} << 20;   // of the result, and of any one string or list
  size_t memory_bytes = size_t{64} << 20;  // of all values that a rendering makes, living or not
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

  // Nested work outside of the interpreter's own frames: Enter fails beyond kMaxDepth.
  bool Enter() {
    if (depth_ >= kMaxDepth) Fail("filters nest more than " + std::to_string(kMaxDepth) + " deep");
    return ++depth_ <= kMaxDepth;
  }
  void Leave() { --depth_; }
  int64_t operations_left() const { return operations_; }
  Error error() const { return error_; }

  // False, and failed, once more operations were used than allowed.
  bool Spend(int64_t operations);

  // False, and failed, where one value of so many bytes, or all made so far, are more than allowed.
  bool Reserve(size_t bytes);

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
  size_t reserved_ = 0;
  int line_ = 1;
  int depth_ = 0;
  bool failed_ = false;
  Error error_;
};

}  // namespace tenon::text::jinja
