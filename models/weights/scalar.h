// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::models {

// What Scalar::text says of a key that has further keys below it.
inline constexpr std::string_view kGroupOfKeys = "an object";

// One value that a model's file gives under a key.
struct Scalar {
  enum class Kind { kMissing, kNull, kInteger, kReal, kFlag, kText, kOther };

  Kind kind = Kind::kMissing;
  int64_t integer = 0;    // kInteger; kFlag: 0 or 1
  double real = 0;        // kReal, and kInteger too
  std::string_view text;  // kText, lives as long as its source; kOther: what it is, for messages
};

// Keyed values of a model's file, whatever the format. Thread: any.
class ScalarSource {
 public:
  virtual ~ScalarSource() = default;

  // The value under `key`. Parts of a key are joined by "."; an index stands for an element of a
  // list: "layer_types.0". An integer beyond int64 is kReal.
  virtual Scalar Find(std::string_view key) const = 0;

  // Elements of the list under `key`; -1 where there is no list.
  virtual int64_t ListSize(std::string_view key) const = 0;

  virtual const std::string& Path() const = 0;  // for messages
};

}  // namespace tenon::models
