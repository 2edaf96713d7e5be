// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes as a GGUF file, and as a model if it is one.
#include <cstddef>
#include <cstdint>
#include <utility>

#include "models/load.h"
#include "models/testing/gguf_visit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tenon::models::GgufFile;
  auto file = GgufFile::Read(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (file.ok()) {
    tenon::models::testing::VisitEverything(*file);
    const auto model = tenon::models::LoadModel(std::move(*file));
    if (!model.ok() && model.error().message.empty()) __builtin_trap();
  } else if (file.error().message.empty()) {
    __builtin_trap();
  }
  return 0;
}
