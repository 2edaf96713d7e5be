// SPDX-License-Identifier: Apache-2.0
#include "models/weights/gguf_parts.h"

#include "fmt/format.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr int64_t kMostParts = 4096;

std::string Ending(int64_t number, int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count);
}

Result<int64_t> IntegerOr(const GgufMetadata& metadata, std::string_view key, int64_t fallback) {
  if (metadata.FindValue(key) == nullptr) return fallback;
  return metadata.Integer(key);
}

}  // namespace

Result<GgufPart> ReadGgufPart(const GgufMetadata& metadata) {
  const Result<int64_t> count = IntegerOr(metadata, "split.count", 1);
  if (!count.ok()) return count.error();
  const Result<int64_t> number = IntegerOr(metadata, "split.no", 0);
  if (!number.ok()) return number.error();
  const Result<int64_t> tensors = IntegerOr(metadata, "split.tensors.count", -1);
  if (!tensors.ok()) return tensors.error();
  if (*count <= 1) return GgufPart{};
  if (*count > kMostParts || *number < 0 || *number >= *count) {
    return Error{Status::kInvalid,
                 fmt::format("{}: split.no is {} and split.count is {}; a number below the count, "
                             "which may be {}, expected",
                             metadata.Path(), *number, *count, kMostParts)};
  }
  return GgufPart{*number, *count, *tensors};
}

Result<std::vector<std::string>> GgufPartPaths(const std::string& path, const GgufPart& part) {
  const std::string ending = Ending(part.number, part.count);
  if (!path.ends_with(ending)) {
    return Error{Status::kInvalid,
                 fmt::format("{}: it is part {} of {}; its name must end in {} so that the others "
                             "can be found, or join them into one file (gguf-split --merge)",
                             path, part.number + 1, part.count, Quoted(ending))};
  }
  const std::string stem = path.substr(0, path.size() - ending.size());
  std::vector<std::string> out;
  for (int64_t i = 0; i < part.count; ++i) out.push_back(stem + Ending(i, part.count));
  return out;
}

}  // namespace tenon::models
