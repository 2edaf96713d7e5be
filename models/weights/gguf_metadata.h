// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/scalar.h"
#include "tenon/result.h"

namespace tenon::models {

class GgufReader;

// Types of metadata values; the numbers are the file's.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// One value as it lies in the file (nothing is copied; not aligned).
struct GgufValue {
  GgufType type = GgufType::kU8;
  GgufType element = GgufType::kU8;  // kArray: of its elements
  uint64_t count = 0;                // kArray: elements; kString: bytes
  const char* data = nullptr;        // the number, the string's first byte, the first element
};

// The key-value part of a GGUF file. Views into the file's bytes, which must outlive it. Getters
// fail with a message that names the key, the type expected and the type found; kNotFound where
// there is no such key. Thread: any.
class GgufMetadata final : public ScalarSource {
 public:
  // Reads `count` pairs from where `reader` stands. Refuses duplicate and empty keys, unknown
  // types, counts that the bytes cannot hold, and arrays nested deeper than four.
  static Result<GgufMetadata> Read(GgufReader& reader, uint64_t count);

  size_t size() const { return pairs_.size(); }
  std::string_view KeyAt(size_t i) const { return pairs_[i].key; }  // in the keys' order
  const GgufValue* FindValue(std::string_view key) const;           // null: no such key

  Result<int64_t> Integer(std::string_view key) const;  // of any integer type, if int64 holds it
  Result<double> Real(std::string_view key) const;      // of any number type
  Result<bool> Flag(std::string_view key) const;
  Result<std::string_view> Text(std::string_view key) const;
  Result<std::vector<std::string_view>> Texts(std::string_view key) const;
  Result<std::vector<float>> Floats(std::string_view key) const;      // array of f32 or f64
  Result<std::vector<int32_t>> Integers(std::string_view key) const;  // array of any integers

  Scalar Find(std::string_view key) const override;
  int64_t ListSize(std::string_view key) const override;
  const std::string& Path() const override { return path_; }

 private:
  struct Pair {
    std::string_view key;
    GgufValue value;
  };

  Error WrongType(std::string_view key, const char* expected) const;
  Result<const GgufValue*> ArrayOf(std::string_view key, const char* expected) const;

  std::string path_;
  std::vector<Pair> pairs_;  // by key
};

}  // namespace tenon::models
