// SPDX-License-Identifier: Apache-2.0
#include "models/weights/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "models/weights/quoted.h"
#include "nlohmann/json.hpp"

namespace tenon::models {
namespace {

struct StoredType {
  const char* name;  // the format's
  DType dtype;
};
constexpr StoredType kStoredTypes[] = {{"F32", DType::kF32},
                                       {"F16", DType::kF16},
                                       {"BF16", DType::kBF16},
                                       {"F8_E4M3", DType::kF8E4M3}};

using Json = nlohmann::json;

constexpr uint64_t kMostHeaderBytes = uint64_t{32} << 20;
constexpr size_t kMostIndexBytes = size_t{32} << 20;
constexpr size_t kMostShards = 4096;
constexpr size_t kMostAxes = 8;
constexpr uint64_t kMostValues = uint64_t{1} << 48;

Error Invalid(const std::string& path, const std::string& problem) {
  return {Status::kInvalid, fmt::format("{}: not a valid safetensors file: {}", path, problem)};
}

// What nlohmann's event parser calls. Returning false ends the parse; `problem` then says why. The
// events are not kept as a tree: a tree can take twenty times the room of its text.
class Events : public Json::json_sax_t {
 public:
  std::string problem;

  bool null() override { return Value("null"); }
  bool boolean(bool) override { return Value("a bool"); }
  bool number_integer(Json::number_integer_t) override { return Value("a negative number"); }
  bool number_unsigned(Json::number_unsigned_t value) override { return Unsigned(value); }
  bool number_float(Json::number_float_t, const std::string&) override {
    return Value("a fraction");
  }
  bool string(std::string& value) override { return Text(value); }
  bool binary(Json::binary_t&) override { return Value("binary"); }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    if (problem.empty()) problem = fmt::format("no valid JSON at byte {} of it", position);
    return false;
  }

 protected:
  virtual bool Value(const char* what) = 0;  // of a type that is nowhere expected
  virtual bool Unsigned(uint64_t) { return Value("a number"); }
  virtual bool Text(const std::string&) { return Value("a string"); }
  bool Stop(std::string why) {
    problem = std::move(why);
    return false;
  }
};

Result<void> Parse(std::string_view text, Events& events, const std::string& path) {
  try {
    if (Json::sax_parse(text.begin(), text.end(), &events)) return {};
  } catch (const std::exception& error) {
    return Invalid(path, error.what());
  }
  return Invalid(path, events.problem);
}

struct Entry {
  uint64_t name_begin = 0;
  uint64_t name_size = 0;
  DType dtype = DType::kF32;
  bool counts = false;  // 0, 1, 2, … in I64: in its place, and not handed out
  uint64_t shape[kMostAxes] = {};
  uint32_t axes = 0;
  uint64_t offsets[2] = {};
};

// {"__metadata__": {…}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
class HeaderEvents final : public Events {
 public:
  std::vector<char> names;
  std::vector<Entry> entries;

  bool start_object(size_t) override {
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ == 2 && list_ == List::kNone) {
      has_dtype_ = has_shape_ = has_offsets_ = false;
      return true;
    }
    return Stop(fmt::format("an object inside {}", Where()));
  }

  bool end_object() override {
    --depth_;
    if (depth_ != 1) return true;
    if (in_metadata_) {
      in_metadata_ = false;
      return true;
    }
    if (!has_dtype_ || !has_shape_ || !has_offsets_) {
      return Stop(fmt::format("{} must have dtype, shape and data_offsets", Where()));
    }
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) return StartEntry(name);
    field_ = Field::kOther;
    if (in_metadata_) return true;
    if (name == "dtype") return Begin(Field::kDType, &has_dtype_);
    if (name == "shape") return Begin(Field::kShape, &has_shape_);
    if (name == "data_offsets") return Begin(Field::kOffsets, &has_offsets_);
    return Stop(fmt::format("{} has an unknown field {}", Where(), Quoted(name)));
  }

  bool start_array(size_t) override {
    if (depth_ == 2 && !in_metadata_ && list_ == List::kNone &&
        (field_ == Field::kShape || field_ == Field::kOffsets)) {
      list_ = field_ == Field::kShape ? List::kShape : List::kOffsets;
      listed_ = 0;
      return true;
    }
    return Stop(fmt::format("a list where none belongs, in {}", Where()));
  }

  bool end_array() override {
    if (list_ == List::kOffsets && listed_ != 2) {
      return Stop(fmt::format("data_offsets of {} has {} numbers; 2 expected", Where(), listed_));
    }
    if (list_ == List::kShape) entries.back().axes = static_cast<uint32_t>(listed_);
    list_ = List::kNone;
    return true;
  }

 private:
  enum class Field { kOther, kDType, kShape, kOffsets };
  enum class List { kNone, kShape, kOffsets };

  std::string Where() const {
    if (in_metadata_) return "__metadata__";
    if (depth_ < 1 || entries.empty()) return "the header";
    return "tensor " + Quoted(NameOf(entries.back()));
  }

  std::string_view NameOf(const Entry& entry) const {
    return {names.data() + entry.name_begin, entry.name_size};
  }

  bool StartEntry(const std::string& name) {
    in_metadata_ = name == "__metadata__";
    field_ = Field::kOther;
    if (in_metadata_) return true;
    Entry entry;
    entry.name_begin = names.size();
    entry.name_size = name.size();
    names.insert(names.end(), name.begin(), name.end());
    entries.push_back(entry);
    return name.empty() ? Stop("a tensor has no name") : true;
  }

  bool Begin(Field field, bool* seen) {
    if (*seen) return Stop(fmt::format("a field of {} is there twice", Where()));
    *seen = true;
    field_ = field;
    return true;
  }

  bool Unsigned(uint64_t value) override {
    if (list_ == List::kShape) {
      if (listed_ == kMostAxes) {
        return Stop(fmt::format("{} has more than {} axes", Where(), kMostAxes));
      }
      entries.back().shape[listed_++] = value;
      return true;
    }
    if (list_ == List::kOffsets) {
      if (listed_ == 2) return Stop(fmt::format("data_offsets of {} is too long", Where()));
      entries.back().offsets[listed_++] = value;
      return true;
    }
    return Value("a number");
  }

  bool Text(const std::string& value) override {
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ != 2 || field_ != Field::kDType) return Value("a string");
    if (value == "I64" && IsPositionIds(NameOf(entries.back()))) {
      entries.back().counts = true;
      return true;
    }
    if (value == "U8" && IsPacked(NameOf(entries.back()))) {
      entries.back().dtype = DType::kI8;
      return true;
    }
    for (const StoredType& type : kStoredTypes) {
      if (value != type.name) continue;
      entries.back().dtype = type.dtype;
      return true;
    }
    return Stop(fmt::format("{} is stored as {}; {} can be read", Where(), Quoted(value),
                            fmt::join(SafetensorsTypeNames(), ", ")));
  }

  bool Value(const char* what) override {
    return Stop(fmt::format("{} where it does not belong, in {}", what, Where()));
  }

  int depth_ = 0;
  bool in_metadata_ = false;
  Field field_ = Field::kOther;
  List list_ = List::kNone;
  size_t listed_ = 0;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
};

// {"metadata": …, "weight_map": {"tensor": "file", …}}
class IndexEvents final : public Events {
 public:
  bool (*visit)(void*, std::string_view, std::string_view) = nullptr;
  void* context = nullptr;
  bool found = false;
  bool ended_by_visit = false;

  bool start_object(size_t) override {
    ++depth_;
    if (depth_ == 2 && in_map_) found = true;
    return depth_ <= 8 ? true : Stop("nested deeper than 8");
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(size_t) override { return start_object(0) && Value("a list"); }
  bool end_array() override { return end_object(); }
  bool key(std::string& name) override {
    if (depth_ == 1) in_map_ = name == "weight_map";
    if (depth_ == 2) name_ = name;
    return true;
  }

 private:
  bool Value(const char* what) override {
    if (!in_map_) return true;
    return Stop(fmt::format("{} in weight_map; file names expected", what));
  }
  bool Text(const std::string& file) override {
    if (!in_map_) return true;
    if (depth_ != 2) return Stop("weight_map is not an object of names");
    ended_by_visit = !visit(context, name_, file);
    return !ended_by_visit;
  }

  int depth_ = 0;
  bool in_map_ = false;
  std::string name_;
};

// Fills in rows, columns and data; the entry must fit its bytes.
Result<void> Place(const Entry& entry, std::span<const std::byte> data, const std::string& path,
                   StoredTensor* out) {
  const std::string name = Quoted(out->name);
  uint64_t values = 1;
  for (uint32_t i = 0; i < entry.axes; ++i) {
    if (entry.shape[i] == 0 || entry.shape[i] > kMostValues / values) {
      return Invalid(path,
                     fmt::format("tensor {}: axis {} is {}; with the others it must make 1 to "
                                 "2^48 values",
                                 name, i, entry.shape[i]));
    }
    values *= entry.shape[i];
  }
  const uint64_t columns = entry.axes > 0 ? entry.shape[entry.axes - 1] : 1;
  const uint64_t bytes = entry.counts ? values * sizeof(int64_t) : BytesOf(entry.dtype, values);
  if (entry.offsets[0] > entry.offsets[1] || entry.offsets[1] > data.size() ||
      entry.offsets[1] - entry.offsets[0] != bytes) {
    return Invalid(path, fmt::format("tensor {} lies at [{}, {}); its shape takes {} bytes and the "
                                     "data has {}; was the download interrupted?",
                                     name, entry.offsets[0], entry.offsets[1], bytes, data.size()));
  }
  const std::byte* at = data.data() + entry.offsets[0];
  if (reinterpret_cast<uintptr_t>(at) % Layout(entry.dtype).block_bytes != 0) {
    return Invalid(path, fmt::format("tensor {} is not aligned to its {} bytes; save it again with "
                                     "a safetensors from 0.3 on",
                                     name, Layout(entry.dtype).block_bytes));
  }
  out->tensor = {entry.dtype, at, static_cast<int64_t>(values / columns),
                 static_cast<int64_t>(columns)};
  return {};
}

size_t CountOf(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

Result<SafetensorsHeader> Bind(HeaderEvents& events, std::span<const std::byte> data,
                               const std::string& path) {
  std::sort(events.entries.begin(), events.entries.end(),
            [](const Entry& a, const Entry& b) { return a.offsets[0] < b.offsets[0]; });
  SafetensorsHeader out;
  out.names = std::move(events.names);
  out.tensors.reserve(events.entries.size());
  uint64_t end = 0;
  for (const Entry& entry : events.entries) {
    StoredTensor stored{};
    stored.name = {out.names.data() + entry.name_begin, entry.name_size};
    const Result<void> placed = Place(entry, data, path, &stored);
    if (!placed.ok()) return placed.error();
    if (entry.offsets[0] != end) {
      return Invalid(path, fmt::format("tensor {} starts at byte {} of the data, the one before it "
                                       "ends at {}",
                                       Quoted(stored.name), entry.offsets[0], end));
    }
    end = entry.offsets[1];
    if (!entry.counts) out.tensors.push_back(stored);
  }
  if (end != data.size()) {
    return Invalid(path,
                   fmt::format("its tensors take {} bytes, but there are {}", end, data.size()));
  }
  return out;
}

}  // namespace

bool IsPacked(std::string_view tensor) {
  return tensor.ends_with("_blocks") || tensor.ends_with("_scales");
}

bool IsPositionIds(std::string_view tensor) {
  return tensor == "position_ids" || tensor.ends_with(".position_ids");
}

Result<SafetensorsHeader> ReadSafetensorsHeader(std::span<const std::byte> bytes,
                                                const std::string& path) {
  uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return Invalid(path,
                   fmt::format("it has {} bytes; was the download interrupted?", bytes.size()));
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  const uint64_t most = std::min(kMostHeaderBytes, bytes.size() - sizeof(length));
  if (length < 2 || length > most) {
    return Invalid(path, fmt::format("its header takes {} bytes; 2 to {} possible{}", length, most,
                                     length > most ? "; was the download interrupted?" : ""));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length), length);
  if (text[0] != '{') return Invalid(path, "its header does not start with \"{\"");
  HeaderEvents events;
  events.entries.reserve(CountOf(text, "\"data_offsets\""));
  const Result<void> parsed = Parse(text, events, path);
  if (!parsed.ok()) return parsed.error();
  return Bind(events, bytes.subspan(sizeof(length) + length), path);
}

Result<void> VisitWeightMap(std::string_view json, const std::string& path,
                            bool (*visit)(void* context, std::string_view tensor,
                                          std::string_view file),
                            void* context) {
  if (json.size() > kMostIndexBytes) {
    return Invalid(path, fmt::format("the index has {} bytes; at most {} allowed", json.size(),
                                     kMostIndexBytes));
  }
  IndexEvents events;
  events.visit = visit;
  events.context = context;
  const Result<void> parsed = Parse(json, events, path);
  if (!parsed.ok() && !events.ended_by_visit) return parsed.error();
  if (!events.found) return Invalid(path, "the index has no weight_map");
  return {};
}

Result<std::vector<std::string>> ReadShardNames(std::string_view json, const std::string& path) {
  struct Names {
    std::vector<std::string> sorted;
    std::string problem;
  } names;
  const auto visit = [](void* context, std::string_view, std::string_view file) {
    Names& into = *static_cast<Names*>(context);
    const auto at = std::lower_bound(into.sorted.begin(), into.sorted.end(), file);
    if (at != into.sorted.end() && *at == file) return true;
    const bool plain = !file.empty() && file.size() <= 255 && file[0] != '.' &&
                       file.find_first_of(std::string_view("/\\\0", 3)) == file.npos;
    if (!plain) {
      into.problem = fmt::format("{} in weight_map is no plain file name", Quoted(file));
    } else if (into.sorted.size() == kMostShards) {
      into.problem = fmt::format("it names more than {} files", kMostShards);
    } else {
      into.sorted.emplace(at, file);
    }
    return into.problem.empty();
  };
  const Result<void> visited = VisitWeightMap(json, path, visit, &names);
  if (!visited.ok()) return visited.error();
  if (!names.problem.empty()) return Invalid(path, names.problem);
  if (names.sorted.empty()) return Invalid(path, "its weight_map is empty");
  return std::move(names.sorted);
}

std::vector<std::string> SafetensorsTypeNames() {
  std::vector<std::string> out;
  for (const StoredType& type : kStoredTypes) out.emplace_back(type.name);
  return out;
}

}  // namespace tenon::models
