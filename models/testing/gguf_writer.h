// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/gguf_metadata.h"

namespace tenon::models::testing {

// Writes small GGUF files for tests. Nothing is checked: what it writes may be wrong on purpose.
class GgufWriter {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;
  uint64_t announced_pairs = UINT64_MAX;    // instead of the true number
  uint64_t announced_tensors = UINT64_MAX;  // likewise

  template <typename T>
  static void Put(std::string& to, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    to.append(bytes, sizeof(T));
  }
  static void PutText(std::string& to, std::string_view text) {
    Put<uint64_t>(to, text.size());
    to += text;
  }

  // One pair with its value's bytes as given.
  void Raw(std::string_view key, GgufType type, std::string_view value) {
    PutText(pairs_, key);
    Put(pairs_, static_cast<uint32_t>(type));
    pairs_ += value;
    ++pair_count_;
  }
  template <typename T>
  void Number(std::string_view key, GgufType type, T value) {
    std::string bytes;
    Put(bytes, value);
    Raw(key, type, bytes);
  }
  void U32(std::string_view key, uint32_t value) { Number(key, GgufType::kU32, value); }
  void F32(std::string_view key, float value) { Number(key, GgufType::kF32, value); }
  void Flag(std::string_view key, bool value) { Number<uint8_t>(key, GgufType::kBool, value); }
  void Text(std::string_view key, std::string_view value) {
    std::string bytes;
    PutText(bytes, value);
    Raw(key, GgufType::kString, bytes);
  }
  void Texts(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes = ArrayHead(GgufType::kString, values.size());
    for (const std::string& value : values) PutText(bytes, value);
    Raw(key, GgufType::kArray, bytes);
  }
  template <typename T>
  void Array(std::string_view key, GgufType element, const std::vector<T>& values) {
    std::string bytes = ArrayHead(element, values.size());
    for (const T value : values) Put(bytes, value);
    Raw(key, GgufType::kArray, bytes);
  }
  static std::string ArrayHead(GgufType element, uint64_t count) {
    std::string bytes;
    Put(bytes, static_cast<uint32_t>(element));
    Put(bytes, count);
    return bytes;
  }

  // `axes` innermost first; `data` is put at the next aligned place.
  void Tensor(std::string_view name, const std::vector<uint64_t>& axes, uint32_t type,
              std::string_view data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
    TensorAt(name, axes, type, data_.size());
    data_ += data;
  }
  // Describes a tensor at any offset, without data.
  void TensorAt(std::string_view name, const std::vector<uint64_t>& axes, uint32_t type,
                uint64_t offset) {
    PutText(tensors_, name);
    Put(tensors_, static_cast<uint32_t>(axes.size()));
    for (const uint64_t axis : axes) Put(tensors_, axis);
    Put(tensors_, type);
    Put(tensors_, offset);
    ++tensor_count_;
  }

  // Bytes before the data, padding included.
  size_t HeaderBytes() const { return Bytes().size() - data_.size(); }

  std::string Bytes() const {
    std::string out = "GGUF";
    Put(out, version);
    Put(out, announced_tensors != UINT64_MAX ? announced_tensors : tensor_count_);
    Put(out, announced_pairs != UINT64_MAX ? announced_pairs : pair_count_);
    out += pairs_ + tensors_;
    if (!data_.empty()) out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data_;
  }

 private:
  std::string pairs_, tensors_, data_;
  uint64_t pair_count_ = 0, tensor_count_ = 0;
};

// A small valid file with every kind of value, each readable stored type, and odd names.
inline GgufWriter SeedGguf() {
  GgufWriter w;
  w.Text("general.architecture", "llama");
  w.U32("general.alignment", 32);
  w.Number<uint8_t>("a.u8", GgufType::kU8, 200);
  w.Number<int8_t>("a.i8", GgufType::kI8, -3);
  w.Number<uint16_t>("a.u16", GgufType::kU16, 60000);
  w.Number<int16_t>("a.i16", GgufType::kI16, -30000);
  w.U32("a.u32", 4000000000u);
  w.Number<int32_t>("a.i32", GgufType::kI32, -5);
  w.F32("a.f32", 0.5f);
  w.Flag("a.bool", true);
  w.Number<uint64_t>("a.u64", GgufType::kU64, uint64_t{1} << 63);
  w.Number<int64_t>("a.i64", GgufType::kI64, -7);
  w.Number<double>("a.f64", GgufType::kF64, 0.25);
  w.Texts("b.texts", {"one", "", "three"});
  w.Array<float>("b.floats", GgufType::kF32, {1.5f, -2.0f});
  w.Array<int32_t>("b.ints", GgufType::kI32, {3, -1});
  std::string nested = GgufWriter::ArrayHead(GgufType::kArray, 1);
  nested += GgufWriter::ArrayHead(GgufType::kU8, 2) + "\x01\x02";
  w.Raw("b.nested", GgufType::kArray, nested);
  w.Tensor("norm", {4}, 0, std::string(16, '\1'));
  w.Tensor("half", {2, 3}, 1, std::string(12, '\2'));
  w.Tensor("brain", {2, 3, 2}, 30, std::string(24, '\3'));
  w.Tensor("q4_0", {32, 2}, 2, std::string(36, '\4'));
  w.Tensor("q4_1", {32, 1}, 3, std::string(20, '\5'));
  w.Tensor("q5_0", {64, 1}, 6, std::string(44, '\6'));
  w.Tensor("q5_1", {32}, 7, std::string(24, '\7'));
  w.Tensor("q8_0", {32}, 8, std::string(34, '\x08'));
  w.Tensor("q4_k", {256}, 12, std::string(144, '\x09'));
  w.Tensor("q5_k", {256}, 13, std::string(176, '\x0a'));
  w.Tensor("q6_k", {256}, 14, std::string(210, '\x0b'));
  return w;
}

}  // namespace tenon::models::testing
