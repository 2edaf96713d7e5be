// SPDX-License-Identifier: Apache-2.0
#include "models/weights/gguf.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "models/weights/gguf_reader.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr uint64_t kMostTensors = 1 << 18;
constexpr uint64_t kSmallestTensor = 8 + 1 + 4 + 8 + 4 + 8;  // name of one byte, one axis
constexpr uint32_t kMostAxes = 4;
constexpr uint64_t kMostValues = uint64_t{1} << 48;
constexpr int64_t kDefaultAlignment = 32;

struct StoredType {
  uint32_t id;  // ggml's
  const char* name;
  bool known;  // whether `dtype` stands for it
  DType dtype;
};
constexpr StoredType kStoredTypes[] = {
    {0, "F32", true, DType::kF32},
    {1, "F16", true, DType::kF16},
    {2, "Q4_0", true, DType::kQ4_0},
    {3, "Q4_1", true, DType::kQ4_1},
    {6, "Q5_0", true, DType::kQ5_0},
    {7, "Q5_1", true, DType::kQ5_1},
    {8, "Q8_0", true, DType::kQ8_0},
    {9, "Q8_1", false, {}},
    {10, "Q2_K", false, {}},
    {11, "Q3_K", false, {}},
    {12, "Q4_K", true, DType::kQ4_K},
    {13, "Q5_K", true, DType::kQ5_K},
    {14, "Q6_K", true, DType::kQ6_K},
    {15, "Q8_K", false, {}},
    {16, "IQ2_XXS", false, {}},
    {17, "IQ2_XS", false, {}},
    {18, "IQ3_XXS", false, {}},
    {19, "IQ1_S", false, {}},
    {20, "IQ4_NL", false, {}},
    {21, "IQ3_S", false, {}},
    {22, "IQ2_S", false, {}},
    {23, "IQ4_XS", false, {}},
    {24, "I8", false, {}},
    {25, "I16", false, {}},
    {26, "I32", false, {}},
    {27, "I64", false, {}},
    {28, "F64", false, {}},
    {29, "IQ1_M", false, {}},
    {30, "BF16", true, DType::kBF16},
    {34, "TQ1_0", false, {}},
    {35, "TQ2_0", false, {}},
    {39, "MXFP4", false, {}},
};

struct Header {
  uint64_t tensors = 0;
  uint64_t pairs = 0;
};

Header ReadHeader(GgufReader& reader) {
  Header header;
  const char* magic = reader.Bytes(4, "the magic number");
  if (magic != nullptr && std::string_view(magic, 4) != "GGUF") {
    reader.Fail(fmt::format("it starts with {}, not with \"GGUF\"", Quoted({magic, 4})));
  }
  const uint32_t version = reader.Number<uint32_t>("the version");
  if (reader.ok() && version != 2 && version != 3) {
    const uint32_t swapped = __builtin_bswap32(version);
    reader.Fail(swapped == 2 || swapped == 3
                    ? std::string("it is big endian; convert it to little endian")
                    : fmt::format("version {}; versions 2 and 3 can be read", version));
  }
  header.tensors = reader.Number<uint64_t>("the number of tensors");
  header.pairs = reader.Number<uint64_t>("the number of metadata keys");
  return header;
}

DType ReadStoredType(GgufReader& reader, std::string_view tensor) {
  const uint32_t id = reader.Number<uint32_t>("a tensor's type");
  if (!reader.ok()) return DType::kF32;
  const auto* end = std::end(kStoredTypes);
  const auto* type =
      std::find_if(kStoredTypes, end, [id](const StoredType& t) { return t.id == id; });
  if (type != end && type->known) return type->dtype;
  reader.Fail(fmt::format("tensor {} is stored as {}; {} can be read", Quoted(tensor),
                          type != end ? type->name : fmt::format("type {}", id),
                          fmt::join(GgufTypeNames(), ", ")));
  return DType::kF32;
}

// Rows and columns out of ggml's axes, innermost first; fails on anything that a matrix of `dtype`
// cannot have.
void FoldAxes(GgufReader& reader, const uint64_t* axes, uint32_t count, StoredTensor* out) {
  uint64_t values = 1;
  for (uint32_t i = 0; i < count; ++i) {
    if (axes[i] == 0 || axes[i] > kMostValues / values) {
      reader.Fail(
          fmt::format("tensor {}: axis {} is {}; with the others it must make 1 to 2^48 "
                      "values",
                      Quoted(out->name), i, axes[i]));
      return;
    }
    values *= axes[i];
  }
  out->tensor.columns = static_cast<int64_t>(axes[0]);
  out->tensor.rows = static_cast<int64_t>(values / axes[0]);
  const DTypeLayout& layout = Layout(out->tensor.dtype);
  if (axes[0] % layout.block_values != 0) {
    reader.Fail(fmt::format("tensor {}: rows of {} values cannot be {}; a multiple of {} expected",
                            Quoted(out->name), axes[0], layout.name, layout.block_values));
  }
}

// One tensor's description. Its data pointer is left null; `offset` is from the start of the data.
StoredTensor ReadTensor(GgufReader& reader, uint64_t* offset) {
  StoredTensor out{};
  out.name = reader.Text("a tensor's name");
  const uint32_t axes = reader.Number<uint32_t>("a tensor's axes");
  if (!reader.ok()) return out;
  if (out.name.empty()) {
    reader.Fail(fmt::format("a tensor before byte {} has no name", reader.Offset()));
  } else if (axes == 0 || axes > kMostAxes) {
    reader.Fail(
        fmt::format("tensor {} has {} axes; 1 to {} allowed", Quoted(out.name), axes, kMostAxes));
  }
  uint64_t sizes[kMostAxes] = {};
  for (uint32_t i = 0; i < axes && reader.ok(); ++i) {
    sizes[i] = reader.Number<uint64_t>("a tensor's axis");
  }
  out.tensor.dtype = ReadStoredType(reader, out.name);
  *offset = reader.Number<uint64_t>("a tensor's offset");
  if (reader.ok()) FoldAxes(reader, sizes, axes, &out);
  return out;
}

uint64_t BytesOf(const StoredTensor& stored) {
  return tenon::BytesOf(stored.tensor.dtype, static_cast<uint64_t>(stored.tensor.rows) *
                                                 static_cast<uint64_t>(stored.tensor.columns));
}

const std::byte* DataOf(const StoredTensor& stored) {
  return static_cast<const std::byte*>(stored.tensor.data);
}

int64_t Alignment(const GgufMetadata& metadata, GgufReader& reader) {
  if (metadata.FindValue("general.alignment") == nullptr) return kDefaultAlignment;
  const Result<int64_t> said = metadata.Integer("general.alignment");
  if (said.ok() && *said >= 8 && *said <= 1 << 20 && std::has_single_bit(uint64_t(*said))) {
    return *said;
  }
  reader.Fail(said.ok() ? fmt::format("general.alignment is {}; a power of two from 8 to 1048576 "
                                      "expected",
                                      *said)
                        : "general.alignment is not an integer");
  return kDefaultAlignment;
}

// Turns offsets into addresses; every tensor must lie aligned and inside `data`.
void Place(GgufReader& reader, std::span<const std::byte> data, uint64_t alignment,
           const uint64_t* offsets, std::vector<StoredTensor>& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const uint64_t bytes = BytesOf(tensors[i]);
    if (offsets[i] % alignment != 0) {
      return reader.Fail(
          fmt::format("tensor {} starts at byte {} of the data; a multiple of {} "
                      "expected",
                      Quoted(tensors[i].name), offsets[i], alignment));
    }
    if (offsets[i] > data.size() || bytes > data.size() - offsets[i]) {
      return reader.Fail(
          fmt::format("tensor {} takes {} bytes from byte {} of the data, which has "
                      "{}; was the download interrupted?",
                      Quoted(tensors[i].name), bytes, offsets[i], data.size()));
    }
    tensors[i].tensor.data = data.data() + offsets[i];
  }
}

void RefuseOverlap(GgufReader& reader, std::vector<StoredTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return DataOf(a) < DataOf(b); });
  for (size_t i = 1; i < tensors.size(); ++i) {
    if (DataOf(tensors[i - 1]) + BytesOf(tensors[i - 1]) > DataOf(tensors[i])) {
      return reader.Fail(fmt::format("tensors {} and {} overlap", Quoted(tensors[i - 1].name),
                                     Quoted(tensors[i].name)));
    }
  }
}

std::vector<StoredTensor> ReadTensors(GgufReader& reader, const GgufMetadata& metadata,
                                      std::span<const std::byte> bytes, uint64_t count) {
  std::vector<StoredTensor> tensors;
  if (count > kMostTensors) {
    reader.Fail(fmt::format("it announces {} tensors; at most {} allowed", count, kMostTensors));
  }
  if (!reader.CanHold(count, kSmallestTensor, "tensors")) return tensors;
  tensors.reserve(count);
  std::vector<uint64_t> offsets(count);
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    tensors.push_back(ReadTensor(reader, &offsets[i]));
  }
  const uint64_t alignment = static_cast<uint64_t>(Alignment(metadata, reader));
  if (!reader.ok()) return tensors;
  const uint64_t start = (reader.Offset() + alignment - 1) / alignment * alignment;
  const std::span<const std::byte> data =
      start < bytes.size() ? bytes.subspan(start) : std::span<const std::byte>();
  Place(reader, data, alignment, offsets.data(), tensors);
  if (reader.ok()) RefuseOverlap(reader, tensors);
  return tensors;
}

}  // namespace

Result<GgufFile> GgufFile::ReadPart(std::span<const std::byte> bytes, const std::string& name) {
  GgufReader reader(bytes, name);
  const Header header = ReadHeader(reader);
  if (!reader.ok()) return reader.error();
  GgufFile out;
  Result<GgufMetadata> metadata = GgufMetadata::Read(reader, header.pairs);
  if (!metadata.ok()) return metadata.error();
  out.metadata_ = std::move(*metadata);
  Result<GgufPart> part = ReadGgufPart(out.metadata_);
  if (!part.ok()) return part.error();
  out.part_ = *part;
  out.tensors_ = ReadTensors(reader, out.metadata_, bytes, header.tensors);
  if (!reader.ok()) return reader.error();
  TENON_RETURN_IF_ERROR(SortByName(name, out.tensors_));
  return out;
}

Result<GgufFile> GgufFile::Read(std::span<const std::byte> bytes, const std::string& name) {
  Result<GgufFile> file = ReadPart(bytes, name);
  if (file.ok() && file->part_.count > 1) {
    return Error{Status::kInvalid, fmt::format("{}: it is one of {} parts of a split model", name,
                                               file->part_.count)};
  }
  return file;
}

Result<GgufFile> GgufFile::OpenPart(const std::string& path) {
  Result<MappedFile> map = MappedFile::Open(path);
  if (!map.ok()) return map.error();
  Result<GgufFile> file = ReadPart(map->Bytes(), path);
  if (file.ok()) file->maps_.push_back(std::move(*map));
  return file;
}

Result<GgufFile> GgufFile::Open(const std::string& path) {
  Result<GgufFile> named = OpenPart(path);
  if (!named.ok() || named->part_.count == 1) return named;
  const GgufPart part = named->part_;
  const Result<std::vector<std::string>> paths = GgufPartPaths(path, part);
  if (!paths.ok()) return paths.error();
  GgufFile whole;
  for (int64_t i = 0; i < part.count; ++i) {
    Result<GgufFile> next =
        i == part.number ? std::move(named) : OpenPart((*paths)[static_cast<size_t>(i)]);
    if (!next.ok()) return next.error();
    if (next->part_.number != i || next->part_.count != part.count) {
      return Error{
          Status::kInvalid,
          fmt::format("{}: it says that it is part {} of {}; part {} of {} expected", next->Path(),
                      next->part_.number + 1, next->part_.count, i + 1, part.count)};
    }
    whole.Join(std::move(*next));
  }
  TENON_RETURN_IF_ERROR(SortByName(path, whole.tensors_));
  if (part.tensors >= 0 && part.tensors != static_cast<int64_t>(whole.tensors_.size())) {
    return Error{Status::kInvalid,
                 fmt::format("{}: its {} parts hold {} tensors; split.tensors.count says {}", path,
                             part.count, whole.tensors_.size(), part.tensors)};
  }
  return whole;
}

void GgufFile::Join(GgufFile part) {
  if (maps_.empty()) metadata_ = std::move(part.metadata_);
  tensors_.insert(tensors_.end(), part.tensors_.begin(), part.tensors_.end());
  for (MappedFile& map : part.maps_) maps_.push_back(std::move(map));
}

const StoredTensor* GgufFile::FindTensor(std::string_view name) const {
  const auto at =
      std::lower_bound(tensors_.begin(), tensors_.end(), name,
                       [](const StoredTensor& t, std::string_view n) { return t.name < n; });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

std::vector<std::string> GgufTypeNames() {
  std::vector<std::string> out;
  for (const StoredType& type : kStoredTypes) {
    if (type.known) out.emplace_back(type.name);
  }
  return out;
}

}  // namespace tenon::models
