// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "models/weights/gguf.h"

namespace tenon::models::testing {

// Asks `file` for everything that it says it has, and touches the ends of each tensor, so that a
// sanitizer sees what an accepted file may lead to. Returns a sum, so that nothing is left out.
inline uint64_t VisitEverything(const GgufFile& file) {
  uint64_t sum = 0;
  const GgufMetadata& metadata = file.Metadata();
  for (size_t i = 0; i < metadata.size(); ++i) {
    const std::string_view key = metadata.KeyAt(i);
    if (const auto texts = metadata.Texts(key); texts.ok()) {
      for (const std::string_view text : *texts) sum += text.empty() ? 1 : uint64_t(text.back());
    }
    if (const auto text = metadata.Text(key); text.ok()) sum += text->size();
    if (const auto floats = metadata.Floats(key); floats.ok()) sum += floats->size();
    if (const auto integers = metadata.Integers(key); integers.ok()) sum += integers->size();
    if (const auto integer = metadata.Integer(key); integer.ok()) sum += uint64_t(*integer);
    if (const auto real = metadata.Real(key); real.ok()) sum += *real > 0 ? 1 : 0;
    if (const auto flag = metadata.Flag(key); flag.ok()) sum += *flag ? 1 : 0;
    sum += metadata.Find(std::string(key) + ".1").text.size();
  }
  for (size_t i = 0; i < file.TensorCount(); ++i) {
    const Tensor& tensor = file.TensorAt(i).tensor;
    const auto* data = static_cast<const unsigned char*>(tensor.data);
    const uint64_t values = uint64_t(tensor.rows) * uint64_t(tensor.columns);
    sum += data[0] + data[BytesOf(tensor.dtype, values) - 1];
  }
  return sum;
}

}  // namespace tenon::models::testing
