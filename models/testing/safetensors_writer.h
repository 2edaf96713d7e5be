// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::models::testing {

// A safetensors file of `header` (padded to 8 bytes) and `data`.
inline std::string SafetensorsBytes(std::string header, std::string_view data) {
  while (header.size() % 8 != 0) header += ' ';
  const uint64_t size = header.size();
  std::string out(sizeof(size), '\0');
  std::memcpy(out.data(), &size, sizeof(size));
  return out + header + std::string(data);
}

// Writes safetensors files for tests.
class SafetensorsWriter {
 public:
  void F32(std::string_view name, const std::vector<uint64_t>& shape,
           const std::vector<float>& values) {
    Raw(name, "F32", shape,
        {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }
  // Values of `dtype`, as stored.
  void Raw(std::string_view name, std::string_view dtype, const std::vector<uint64_t>& shape,
           std::string_view bytes) {
    std::string axes;
    for (const uint64_t axis : shape) axes += (axes.empty() ? "" : ",") + std::to_string(axis);
    const size_t begin = data_.size();
    data_ += bytes;
    if (header_.size() > 1) header_ += ',';
    header_ += '"' + std::string(name) + R"(":{"dtype":")" + std::string(dtype) + R"(","shape":[)" +
               axes + R"(],"data_offsets":[)" + std::to_string(begin) + ',' +
               std::to_string(data_.size()) + "]}";
  }
  std::string Bytes() const { return SafetensorsBytes(header_ + "}", data_); }

 private:
  std::string header_ = "{";
  std::string data_;
};

// A small valid file with all readable types, metadata and an escaped name.
inline std::string SeedSafetensors() {
  return SafetensorsBytes(R"({"__metadata__":{"format":"pt"},)"
                          R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                          R"("b\u0041":{"dtype":"F16","shape":[4],"data_offsets":[24,32]},)"
                          R"("c":{"data_offsets":[32,40],"shape":[1,2,2],"dtype":"BF16"},)"
                          R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[40,44]}})",
                          std::string(44, '\1'));
}

}  // namespace tenon::models::testing
