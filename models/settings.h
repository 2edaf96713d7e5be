// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/scalar.h"
#include "tenon/result.h"

namespace tenon::models {

// Typed reads with allowed ranges of what a model's file says of the model. A read that fails gives
// the range's low end, or the fallback, and is remembered, so that Check tells everything that is
// wrong at once. Keys are `prefix` + key. A null counts as missing. Thread: one.
class Settings {
 public:
  explicit Settings(const ScalarSource& source, std::string prefix = "")
      : source_(source), prefix_(std::move(prefix)) {}

  bool Has(std::string_view key) const;
  bool IsNull(std::string_view key) const;       // it is there, and is null
  int64_t ListSize(std::string_view key) const;  // -1: no list

  // Whether there are keys below `key`. False where it is missing; a value of its own is a problem.
  bool HasGroup(std::string_view key);

  // Required; low <= value <= high.
  int32_t Integer(std::string_view key, int32_t low, int32_t high);
  double Real(std::string_view key, double low, double high);
  // Optional: the fallback where the key is missing.
  int32_t IntegerOr(std::string_view key, int32_t fallback, int32_t low, int32_t high);
  double RealOr(std::string_view key, double fallback, double low, double high);
  bool FlagOr(std::string_view key, bool fallback);
  std::string_view TextOr(std::string_view key, std::string_view fallback);

  // Remembers one more thing that is wrong.
  void Fail(std::string problem);

  // Success, or kInvalid with one line a problem, the path first.
  Result<void> Check() const;

 private:
  std::string Key(std::string_view key) const { return prefix_ + std::string(key); }
  void WrongKind(std::string_view key, const Scalar& found, std::string_view expected);

  const ScalarSource& source_;
  std::string prefix_;
  std::vector<std::string> problems_;
};

}  // namespace tenon::models
