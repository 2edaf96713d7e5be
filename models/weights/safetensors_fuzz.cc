// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes as a safetensors file and as a shard index.
#include <cstddef>
#include <cstdint>

#include "models/weights/safetensors.h"
#include "models/weights/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tenon::models::SafetensorsFile;
  const auto file = SafetensorsFile::Read(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file.ok() && file.error().message.empty()) __builtin_trap();
  for (size_t i = 0; file.ok() && i < file->TensorCount(); ++i) {
    const tenon::Tensor& tensor = file->TensorAt(i).tensor;
    const auto* bytes = static_cast<const volatile unsigned char*>(tensor.data);
    (void)bytes[tenon::BytesOf(tensor.dtype, uint64_t(tensor.rows * tensor.columns)) - 1];
  }
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto names = tenon::models::ReadShardNames(json, "fuzz.index.json");
  if (!names.ok() && names.error().message.empty()) __builtin_trap();
  return 0;
}
