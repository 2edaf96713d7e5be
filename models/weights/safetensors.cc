// SPDX-License-Identifier: Apache-2.0
#include "models/weights/safetensors.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "fmt/format.h"
#include "models/weights/quoted.h"
#include "models/weights/safetensors_header.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;

// Whether each tensor of the index lies in the file that the index says, and there are no others.
struct IndexCheck {
  const SafetensorsFile* file;
  const std::vector<std::string>* shard_names;
  const std::vector<std::span<const std::byte>>* shards;
  size_t seen = 0;
  std::string problem;

  bool Visit(std::string_view tensor, std::string_view shard) {
    const StoredTensor* stored = file->FindTensor(tensor);
    if (stored == nullptr && IsPositionIds(tensor)) return true;
    ++seen;
    const auto at = std::lower_bound(shard_names->begin(), shard_names->end(), shard);
    const std::span<const std::byte> bytes =
        (*shards)[static_cast<size_t>(std::distance(shard_names->begin(), at))];
    const bool there = stored != nullptr && stored->tensor.data >= bytes.data() &&
                       stored->tensor.data < bytes.data() + bytes.size();
    if (!there) {
      problem = fmt::format("the index puts tensor {} into {}, which does not have it",
                            Quoted(tensor), Quoted(shard));
    }
    return there;
  }
};

}  // namespace

Result<SafetensorsFile> SafetensorsFile::Read(std::span<const std::byte> bytes,
                                              const std::string& name) {
  Result<SafetensorsHeader> header = ReadSafetensorsHeader(bytes, name);
  if (!header.ok()) return header.error();
  SafetensorsFile out;
  out.path_ = name;
  out.names_.push_back(std::move(header->names));
  out.tensors_ = std::move(header->tensors);
  const Result<void> sorted = SortByName(name, out.tensors_);
  if (!sorted.ok()) return sorted.error();
  return out;
}

Result<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  Result<MappedFile> map = MappedFile::Open(path);
  if (!map.ok()) return map.error();
  Result<SafetensorsFile> file = Read(map->Bytes(), path);
  if (file.ok()) file->maps_.push_back(std::move(*map));
  return file;
}

Result<SafetensorsFile> SafetensorsFile::OpenSharded(const std::string& index_path) {
  Result<MappedFile> index = MappedFile::Open(index_path);
  if (!index.ok()) return index.error();
  const std::string_view json(reinterpret_cast<const char*>(index->Bytes().data()),
                              index->Bytes().size());
  const Result<std::vector<std::string>> shard_names = ReadShardNames(json, index_path);
  if (!shard_names.ok()) return shard_names.error();
  SafetensorsFile out;
  out.path_ = index_path;
  std::vector<std::span<const std::byte>> shards;
  for (const std::string& name : *shard_names) {
    Result<SafetensorsFile> shard = Open((fs::path(index_path).parent_path() / name).string());
    if (!shard.ok()) return shard.error();
    shards.push_back(shard->maps_[0].Bytes());
    out.maps_.push_back(std::move(shard->maps_[0]));
    out.names_.push_back(std::move(shard->names_[0]));
    out.tensors_.insert(out.tensors_.end(), shard->tensors_.begin(), shard->tensors_.end());
  }
  const Result<void> sorted = SortByName(index_path, out.tensors_);
  if (!sorted.ok()) return sorted.error();
  IndexCheck check{&out, &*shard_names, &shards};
  const Result<void> visited = VisitWeightMap(
      json, index_path,
      [](void* context, std::string_view tensor, std::string_view shard) {
        return static_cast<IndexCheck*>(context)->Visit(tensor, shard);
      },
      &check);
  if (!visited.ok()) return visited.error();
  if (check.problem.empty() && check.seen != out.tensors_.size()) {
    check.problem = fmt::format("the index names {} tensors, its files hold {}", check.seen,
                                out.tensors_.size());
  }
  if (!check.problem.empty()) {
    return Error{Status::kInvalid, fmt::format("{}: {}", index_path, check.problem)};
  }
  return out;
}

Result<SafetensorsFile> SafetensorsFile::OpenFolder(const std::string& folder) {
  std::error_code problem;
  const fs::path base(folder);
  if (fs::exists(base / "model.safetensors", problem)) {
    return Open((base / "model.safetensors").string());
  }
  if (fs::exists(base / "model.safetensors.index.json", problem)) {
    return OpenSharded((base / "model.safetensors.index.json").string());
  }
  std::vector<std::string> found;
  fs::directory_iterator entries(base, problem);
  for (; !problem && entries != fs::directory_iterator(); entries.increment(problem)) {
    if (entries->path().extension() == ".safetensors") found.push_back(entries->path().string());
  }
  if (found.size() == 1) return Open(found[0]);
  return Error{Status::kNotFound,
               fmt::format("{}: holds neither model.safetensors nor model.safetensors.index.json, "
                           "and {} other *.safetensors (exactly one would do)",
                           folder, found.size())};
}

const StoredTensor* SafetensorsFile::FindTensor(std::string_view name) const {
  const auto at =
      std::lower_bound(tensors_.begin(), tensors_.end(), name,
                       [](const StoredTensor& t, std::string_view n) { return t.name < n; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

}  // namespace tenon::models
