// SPDX-License-Identifier: Apache-2.0
#include "models/adapter.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr size_t kMostProblems = 16;
constexpr size_t kLongestModule = 256;
constexpr std::string_view kPrefix = "base_model.model.";

struct Pair {
  const StoredTensor* a = nullptr;
  const StoredTensor* b = nullptr;
};

// Takes "base_model.model.<module>.lora_A[.default].weight" apart; false where it is no such name.
bool SplitName(std::string_view name, std::string_view* module, bool* is_a) {
  constexpr std::string_view kWeight = ".weight", kDefault = ".default", kA = ".lora_A";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  if (!name.ends_with(kWeight) || name.size() > kLongestModule) return false;
  name.remove_suffix(kWeight.size());
  if (name.ends_with(kDefault)) name.remove_suffix(kDefault.size());
  *is_a = name.ends_with(kA);
  if (!*is_a && !name.ends_with(".lora_B")) return false;
  *module = name.substr(0, name.size() - kA.size());
  return !module->empty();
}

std::string Shape(int64_t rows, int64_t columns) { return fmt::format("[{}, {}]", rows, columns); }

bool Plain(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

uint64_t BytesOfTensor(const Tensor& tensor) {
  return BytesOf(tensor.dtype, static_cast<uint64_t>(tensor.rows * tensor.columns));
}

}  // namespace

// Fills an adapter and remembers what is wrong.
class StoredAdapter::Reader {
 public:
  Reader(const AdapterConfig& config, const StoredModel& model, StoredAdapter& out)
      : config_(config), model_(model), out_(out) {}

  void Read() {
    std::map<std::string, Pair, std::less<>> pairs;
    for (size_t i = 0; i < out_.file_->TensorCount(); ++i) {
      const StoredTensor& stored = out_.file_->TensorAt(i);
      std::string_view module;
      bool is_a = false;
      if (!SplitName(stored.name, &module, &is_a)) {
        Fail(fmt::format("{} is no factor of LoRA", Quoted(stored.name)));
        continue;
      }
      Pair& pair = pairs[std::string(module)];
      const StoredTensor*& place = is_a ? pair.a : pair.b;
      if (place != nullptr) Fail(fmt::format("{} is there twice", Quoted(stored.name)));
      place = &stored;
    }
    if (out_.file_->TensorCount() == 0) Fail("it has no tensors");
    std::set<std::string> targets;
    for (const auto& [module, pair] : pairs) {
      Take(module, pair);
      targets.insert(module.substr(module.rfind('.') + 1));
    }
    out_.targets_.assign(targets.begin(), targets.end());
  }

  Result<void> Check(const std::string& folder) const {
    if (count_ == 0) return {};
    std::string message = fmt::format("{}: does not fit {}:", folder, model_.Info().name);
    for (const std::string& problem : problems_) message += "\n  " + problem;
    if (count_ > problems_.size()) {
      message += fmt::format("\n  and {} more", count_ - problems_.size());
    }
    return Error{Status::kInvalid, message};
  }

 private:
  void Fail(std::string problem) {
    if (++count_ <= kMostProblems) problems_.push_back(std::move(problem));
  }

  void Take(const std::string& module, const Pair& pair) {
    if (pair.a == nullptr || pair.b == nullptr) {
      return Fail(
          fmt::format("{}: lora_{} is missing", Quoted(module), pair.a == nullptr ? 'A' : 'B'));
    }
    if (!config_.Targets(module)) {
      return Fail(fmt::format("{} is not among target_modules", Quoted(module)));
    }
    const std::optional<AdapterTarget> target = model_.FindAdapterTarget(module);
    if (!target) return Fail(fmt::format("{}: the model has no such matrix", Quoted(module)));
    const int64_t rank = config_.RankOf(module);
    if (!Fits(module, "lora_A", pair.a->tensor, rank, target->columns) ||
        !Fits(module, "lora_B", pair.b->tensor, target->rows, rank)) {
      return;
    }
    const auto scale = static_cast<float>(config_.ScaleOf(module));
    if (!std::isfinite(scale))
      return Fail(fmt::format("{}: its scale is not finite", Quoted(module)));
    out_.rank_ = std::max(out_.rank_, rank);
    out_.bytes_ += BytesOfTensor(pair.a->tensor) + BytesOfTensor(pair.b->tensor);
    out_.matrices_.push_back(
        {module, target->weight, pair.a->tensor, InStoredOrder(pair.b->tensor, *target), scale});
  }

  bool Fits(const std::string& module, const char* factor, const Tensor& tensor, int64_t rows,
            int64_t columns) {
    if (!Plain(tensor.dtype)) {
      Fail(fmt::format("{}: {} is stored as {}; f32, f16, bf16 allowed", Quoted(module), factor,
                       Layout(tensor.dtype).name));
      return false;
    }
    if (tensor.rows == rows && tensor.columns == columns) return true;
    Fail(fmt::format("{}: {} is {}, {} expected", Quoted(module), factor,
                     Shape(tensor.rows, tensor.columns), Shape(rows, columns)));
    return false;
  }

  // `b` with its rows where the model's file has the module's; itself where they lie alike.
  Tensor InStoredOrder(const Tensor& b, const AdapterTarget& target) {
    if (target.head_rows == 0 && target.rows == target.stored_rows) return b;
    const uint64_t row_bytes = BytesOf(b.dtype, static_cast<uint64_t>(b.columns));
    const uint64_t bytes = static_cast<uint64_t>(target.stored_rows) * row_bytes;
    char* moved = out_.own_.emplace_back(std::make_unique<char[]>(bytes)).get();
    for (int64_t row = 0; row < target.rows; ++row) {
      std::memcpy(moved + static_cast<uint64_t>(target.first_row + row) * row_bytes,
                  static_cast<const char*>(b.data) +
                      static_cast<uint64_t>(target.ModuleRow(row)) * row_bytes,
                  row_bytes);
    }
    return {b.dtype, moved, target.stored_rows, b.columns};
  }

  const AdapterConfig& config_;
  const StoredModel& model_;
  StoredAdapter& out_;
  std::vector<std::string> problems_;
  size_t count_ = 0;
};

Result<StoredAdapter> StoredAdapter::Open(const std::string& folder, const StoredModel& model) {
  const std::filesystem::path path(folder);
  const auto config = AdapterConfig::Open((path / "adapter_config.json").string());
  if (!config.ok()) return config.error();
  auto file = SafetensorsFile::Open((path / "adapter_model.safetensors").string());
  if (!file.ok()) return file.error();
  StoredAdapter out;
  out.file_ = std::make_unique<SafetensorsFile>(std::move(*file));
  Reader reader(*config, model, out);
  reader.Read();
  TENON_RETURN_IF_ERROR(reader.Check(folder));
  return out;
}

}  // namespace tenon::models
