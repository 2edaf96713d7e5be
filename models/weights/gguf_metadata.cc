// SPDX-License-Identifier: Apache-2.0
#include "models/weights/gguf_metadata.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "fmt/format.h"
#include "models/weights/gguf_reader.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr int kDeepestArray = 4;
constexpr uint64_t kMostPairs = 1 << 16;
constexpr uint64_t kSmallestPair = 8 + 1 + 4 + 1;  // key of one byte, type, one byte

struct TypeInfo {
  const char* name;
  uint32_t smallest;  // bytes of a value; of strings and arrays: of an empty one
};
constexpr TypeInfo kTypes[] = {{"u8", 1},  {"i8", 1},  {"u16", 2},  {"i16", 2},    {"u32", 4},
                               {"i32", 4}, {"f32", 4}, {"bool", 1}, {"string", 8}, {"array", 12},
                               {"u64", 8}, {"i64", 8}, {"f64", 8}};

const TypeInfo& InfoOf(GgufType type) { return kTypes[static_cast<uint32_t>(type)]; }

GgufType ReadType(GgufReader& reader) {
  const uint32_t type = reader.Number<uint32_t>("a value's type");
  if (type >= std::size(kTypes)) {
    reader.Fail(fmt::format("value type {} before byte {}; types 0 to {} are known", type,
                            reader.Offset(), std::size(kTypes) - 1));
    return GgufType::kU8;
  }
  return static_cast<GgufType>(type);
}

void SkipElements(GgufReader& reader, GgufType element, uint64_t count, int depth);

GgufValue ReadArray(GgufReader& reader, int depth) {
  GgufValue value;
  value.type = GgufType::kArray;
  value.element = ReadType(reader);
  value.count = reader.Number<uint64_t>("an array's length");
  if (depth > kDeepestArray) {
    reader.Fail(
        fmt::format("arrays nested deeper than {} before byte {}", kDeepestArray, reader.Offset()));
  }
  if (!reader.CanHold(value.count, InfoOf(value.element).smallest, "array elements")) return value;
  value.data = reader.Bytes(0, "an array");
  SkipElements(reader, value.element, value.count, depth);
  return value;
}

void SkipElements(GgufReader& reader, GgufType element, uint64_t count, int depth) {
  if (element == GgufType::kString) {
    for (uint64_t i = 0; i < count && reader.ok(); ++i) reader.Text("a string of an array");
  } else if (element == GgufType::kArray) {
    for (uint64_t i = 0; i < count && reader.ok(); ++i) ReadArray(reader, depth + 1);
  } else {
    reader.Bytes(count * InfoOf(element).smallest, "an array");
  }
}

GgufValue ReadValue(GgufReader& reader) {
  GgufValue value;
  value.type = ReadType(reader);
  if (!reader.ok()) return value;
  if (value.type == GgufType::kArray) return ReadArray(reader, 1);
  if (value.type == GgufType::kString) {
    const std::string_view text = reader.Text("a string value");
    value.data = text.data();
    value.count = text.size();
    return value;
  }
  value.data = reader.Bytes(InfoOf(value.type).smallest, "a value");
  if (reader.ok() && value.type == GgufType::kBool && static_cast<uint8_t>(*value.data) > 1) {
    reader.Fail(fmt::format("a bool before byte {} is {}; 0 or 1 allowed", reader.Offset(),
                            static_cast<uint8_t>(*value.data)));
  }
  return value;
}

template <typename T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
Scalar IntegerScalar(const char* from) {
  const T value = Load<T>(from);
  Scalar out;
  out.real = static_cast<double>(value);
  const bool fits = std::is_signed_v<T> || sizeof(T) < 8 ||
                    static_cast<uint64_t>(value) <= uint64_t{std::numeric_limits<int64_t>::max()};
  out.kind = fits ? Scalar::Kind::kInteger : Scalar::Kind::kReal;
  if (fits) out.integer = static_cast<int64_t>(value);
  return out;
}

Scalar RealScalar(double value) {
  Scalar out;
  out.kind = Scalar::Kind::kReal;
  out.real = value;
  return out;
}

// The value of one number, bool or string at `data`; `count` is a string's length.
Scalar ScalarAt(GgufType type, const char* data, uint64_t count) {
  Scalar out;
  switch (type) {
    case GgufType::kU8:
      return IntegerScalar<uint8_t>(data);
    case GgufType::kI8:
      return IntegerScalar<int8_t>(data);
    case GgufType::kU16:
      return IntegerScalar<uint16_t>(data);
    case GgufType::kI16:
      return IntegerScalar<int16_t>(data);
    case GgufType::kU32:
      return IntegerScalar<uint32_t>(data);
    case GgufType::kI32:
      return IntegerScalar<int32_t>(data);
    case GgufType::kU64:
      return IntegerScalar<uint64_t>(data);
    case GgufType::kI64:
      return IntegerScalar<int64_t>(data);
    case GgufType::kF32:
      return RealScalar(double{Load<float>(data)});
    case GgufType::kF64:
      return RealScalar(Load<double>(data));
    case GgufType::kBool:
      out.kind = Scalar::Kind::kFlag;
      out.integer = *data != 0 ? 1 : 0;
      return out;
    case GgufType::kString:
      out.kind = Scalar::Kind::kText;
      out.text = {data, count};
      return out;
    case GgufType::kArray:
      break;
  }
  out.kind = Scalar::Kind::kOther;
  out.text = "an array";
  return out;
}

Scalar ElementAt(const GgufValue& array, uint64_t index) {
  if (index >= array.count) return {};
  if (array.element == GgufType::kArray) return ScalarAt(GgufType::kArray, nullptr, 0);
  if (array.element != GgufType::kString) {
    return ScalarAt(array.element, array.data + index * InfoOf(array.element).smallest, 0);
  }
  const char* at = array.data;
  for (uint64_t i = 0; i < index; ++i) at += 8 + Load<uint64_t>(at);
  return ScalarAt(GgufType::kString, at + 8, Load<uint64_t>(at));
}

std::string NameOf(const GgufValue& value) {
  if (value.type != GgufType::kArray) return InfoOf(value.type).name;
  return fmt::format("array of {}", InfoOf(value.element).name);
}

}  // namespace

Result<GgufMetadata> GgufMetadata::Read(GgufReader& reader, uint64_t count) {
  GgufMetadata out;
  out.path_ = reader.Path();
  if (count > kMostPairs) {
    reader.Fail(
        fmt::format("it announces {} metadata keys; at most {} allowed", count, kMostPairs));
  }
  if (!reader.CanHold(count, kSmallestPair, "metadata keys")) return reader.error();
  out.pairs_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Pair pair;
    pair.key = reader.Text("a metadata key");
    if (reader.ok() && pair.key.empty()) reader.Fail(fmt::format("metadata key {} is empty", i));
    pair.value = ReadValue(reader);
    if (!reader.ok()) return reader.error();
    out.pairs_.push_back(pair);
  }
  const auto by_key = [](const Pair& a, const Pair& b) { return a.key < b.key; };
  std::sort(out.pairs_.begin(), out.pairs_.end(), by_key);
  const auto twice =
      std::adjacent_find(out.pairs_.begin(), out.pairs_.end(),
                         [](const Pair& a, const Pair& b) { return a.key == b.key; });
  if (twice != out.pairs_.end()) {
    reader.Fail(fmt::format("metadata key {} is there twice", Quoted(twice->key)));
    return reader.error();
  }
  return out;
}

const GgufValue* GgufMetadata::FindValue(std::string_view key) const {
  const auto at = std::lower_bound(pairs_.begin(), pairs_.end(), key,
                                   [](const Pair& p, std::string_view k) { return p.key < k; });
  return at != pairs_.end() && at->key == key ? &at->value : nullptr;
}

Error GgufMetadata::WrongType(std::string_view key, const char* expected) const {
  const GgufValue* value = FindValue(key);
  if (value == nullptr) {
    return {Status::kNotFound, fmt::format("{}: metadata key {} is missing; {} expected", path_,
                                           Quoted(key), expected)};
  }
  return {Status::kInvalid, fmt::format("{}: metadata key {} is of type {}; {} expected", path_,
                                        Quoted(key), NameOf(*value), expected)};
}

Result<int64_t> GgufMetadata::Integer(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value != nullptr) {
    const Scalar scalar = ScalarAt(value->type, value->data, value->count);
    if (scalar.kind == Scalar::Kind::kInteger) return scalar.integer;
  }
  return WrongType(key, "an integer (below 2^63)");
}

Result<double> GgufMetadata::Real(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value != nullptr) {
    const Scalar scalar = ScalarAt(value->type, value->data, value->count);
    if (scalar.kind == Scalar::Kind::kInteger || scalar.kind == Scalar::Kind::kReal) {
      return scalar.real;
    }
  }
  return WrongType(key, "a number");
}

Result<bool> GgufMetadata::Flag(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value != nullptr && value->type == GgufType::kBool) return *value->data != 0;
  return WrongType(key, "a bool");
}

Result<std::string_view> GgufMetadata::Text(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value != nullptr && value->type == GgufType::kString) {
    return std::string_view(value->data, value->count);
  }
  return WrongType(key, "a string");
}

Result<const GgufValue*> GgufMetadata::ArrayOf(std::string_view key, const char* expected) const {
  const GgufValue* value = FindValue(key);
  if (value == nullptr || value->type != GgufType::kArray) return WrongType(key, expected);
  return value;
}

Result<std::vector<std::string_view>> GgufMetadata::Texts(std::string_view key) const {
  constexpr const char* kExpected = "an array of string";
  const Result<const GgufValue*> array = ArrayOf(key, kExpected);
  if (!array.ok()) return array.error();
  if ((*array)->element != GgufType::kString) return WrongType(key, kExpected);
  std::vector<std::string_view> out;
  out.reserve((*array)->count);
  const char* at = (*array)->data;
  for (uint64_t i = 0; i < (*array)->count; ++i) {
    const uint64_t size = Load<uint64_t>(at);
    out.emplace_back(at + 8, size);
    at += 8 + size;
  }
  return out;
}

Result<std::vector<float>> GgufMetadata::Floats(std::string_view key) const {
  constexpr const char* kExpected = "an array of f32 or f64";
  const Result<const GgufValue*> array = ArrayOf(key, kExpected);
  if (!array.ok()) return array.error();
  const GgufType element = (*array)->element;
  if (element != GgufType::kF32 && element != GgufType::kF64) return WrongType(key, kExpected);
  std::vector<float> out((*array)->count);
  for (uint64_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(ElementAt(**array, i).real);
  }
  return out;
}

Result<std::vector<int32_t>> GgufMetadata::Integers(std::string_view key) const {
  constexpr const char* kExpected = "an array of integers (within 32 bits)";
  const Result<const GgufValue*> array = ArrayOf(key, kExpected);
  if (!array.ok()) return array.error();
  const GgufType element = (*array)->element;
  if (element == GgufType::kString || element == GgufType::kArray) return WrongType(key, kExpected);
  std::vector<int32_t> out((*array)->count);
  for (uint64_t i = 0; i < out.size(); ++i) {
    const Scalar scalar = ElementAt(**array, i);
    if (scalar.kind != Scalar::Kind::kInteger || scalar.integer < INT32_MIN ||
        scalar.integer > INT32_MAX) {
      return WrongType(key, kExpected);
    }
    out[i] = static_cast<int32_t>(scalar.integer);
  }
  return out;
}

Scalar GgufMetadata::Find(std::string_view key) const {
  if (const GgufValue* value = FindValue(key)) {
    return ScalarAt(value->type, value->data, value->count);
  }
  const size_t dot = key.rfind('.');
  if (dot == std::string_view::npos) return {};
  const GgufValue* array = FindValue(key.substr(0, dot));
  if (array == nullptr || array->type != GgufType::kArray) return {};
  uint64_t index = 0;
  const char* const end = key.data() + key.size();
  const auto [stop, problem] = std::from_chars(key.data() + dot + 1, end, index);
  return problem == std::errc() && stop == end ? ElementAt(*array, index) : Scalar{};
}

int64_t GgufMetadata::ListSize(std::string_view key) const {
  const GgufValue* value = FindValue(key);
  if (value == nullptr || value->type != GgufType::kArray) return -1;
  return static_cast<int64_t>(value->count);
}

}  // namespace tenon::models
