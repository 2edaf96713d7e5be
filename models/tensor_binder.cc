// SPDX-License-Identifier: Apache-2.0
#include "models/tensor_binder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fmt/format.h"
#include "kernels/cpu/half.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr size_t kShown = 8;

std::string Shape(int64_t rows, int64_t columns) {
  if (rows == 0) return fmt::format("[vocabulary, {}]", columns);
  return rows == 1 ? fmt::format("[{}]", columns) : fmt::format("[{}, {}]", rows, columns);
}

void Append(std::string& message, const char* title, const std::vector<std::string>& things) {
  if (things.empty()) return;
  message += fmt::format("\n  {}: ", title);
  for (size_t i = 0; i < std::min(things.size(), kShown); ++i) {
    if (i > 0) message += ", ";
    message += things[i];
  }
  if (things.size() > kShown) message += fmt::format(" and {} more", things.size() - kShown);
}

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// REQUIRES: IsFloat(tensor.dtype)
std::vector<float> ToF32(const Tensor& tensor) {
  std::vector<float> out(static_cast<size_t>(tensor.rows * tensor.columns));
  const char* from = static_cast<const char*>(tensor.data);
  if (tensor.dtype == DType::kF32) {
    std::memcpy(out.data(), from, out.size() * sizeof(float));
    return out;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t half;
    std::memcpy(&half, from + i * sizeof(half), sizeof(half));
    out[i] = tensor.dtype == DType::kF16 ? cpu::F16ToF32(half) : cpu::Bf16ToF32(half);
  }
  return out;
}

Weight WeightOf(Str name, const Tensor& tensor) {
  return {name, tensor,
          static_cast<int64_t>(BytesOf(tensor.dtype, static_cast<uint64_t>(tensor.columns)))};
}

}  // namespace

const StoredTensor* TensorBinder::Take(const std::string& name, int64_t rows, int64_t columns) {
  const StoredTensor* stored = source_.FindTensor(name);
  if (stored == nullptr) {
    missing_.push_back(fmt::format("{} {}", Quoted(name), Shape(rows, columns)));
    return nullptr;
  }
  Count(*stored);
  if ((rows != 0 && stored->tensor.rows != rows) || stored->tensor.columns != columns) {
    misshapen_.push_back(fmt::format("{} is {}, {} expected", Quoted(name),
                                     Shape(stored->tensor.rows, stored->tensor.columns),
                                     Shape(rows, columns)));
    return nullptr;
  }
  return stored;
}

void TensorBinder::Count(const StoredTensor& stored) {
  if (!taken_.insert(&stored).second) return;
  const uint64_t values = static_cast<uint64_t>(stored.tensor.rows * stored.tensor.columns);
  values_ += values;
  bytes_ += BytesOf(stored.tensor.dtype, values);
}

Weight TensorBinder::Matrix(const std::string& name, int64_t rows, int64_t columns) {
  const StoredTensor* stored = Take(name, rows, columns);
  if (stored == nullptr) return {};
  Weight out = WeightOf(Str(stored->name), stored->tensor);
  if (out.tensor.dtype == DType::kF8E4M3) AddScales(name, &out);
  return out;
}

void TensorBinder::AddScales(const std::string& name, Weight* weight) {
  constexpr std::string_view kWeight = "weight";
  if (name.ends_with(kWeight)) {
    // A fixed factor for quantised activations, which are not quantised here.
    Ignore(name.substr(0, name.size() - kWeight.size()) + "input_scale");
  }
  const std::string inverse = name + "_scale_inv";
  const std::string factors = Has(inverse) ? inverse : name + "_scale";
  const StoredTensor* stored = source_.FindTensor(factors);
  if (stored == nullptr) return;
  Count(*stored);
  const Tensor& of = weight->tensor;
  const int64_t rows = stored->tensor.rows, columns = stored->tensor.columns;
  const auto blocks = [](int64_t size, int64_t block) { return (size + block - 1) / block; };
  if (!IsFloat(stored->tensor.dtype)) {
    return Wrong(fmt::format("{} is stored as {}, f32, f16 or bf16 expected", Quoted(factors),
                             Layout(stored->tensor.dtype).name));
  }
  if (rows * columns == 1) {
    weight->scale_rows = of.rows;
    weight->scale_columns = of.columns;
  } else if (rows * columns == of.rows && (rows == 1 || columns == 1)) {
    weight->scale_rows = 1;
    weight->scale_columns = of.columns;
  } else if (block_.rows > 0 && rows == blocks(of.rows, block_.rows) &&
             columns == blocks(of.columns, block_.columns)) {
    weight->scale_rows = block_.rows;
    weight->scale_columns = block_.columns;
  } else {
    return Wrong(fmt::format("{} is {}, one number, one for each of {} rows{} expected",
                             Quoted(factors), Shape(rows, columns), of.rows,
                             block_.rows > 0
                                 ? fmt::format(", or {}", Shape(blocks(of.rows, block_.rows),
                                                                blocks(of.columns, block_.columns)))
                                 : std::string()));
  }
  const std::vector<float>& numbers = owned_.emplace_back(ToF32(stored->tensor));
  weight->scales = {DType::kF32, numbers.data(), blocks(of.rows, weight->scale_rows),
                    blocks(of.columns, weight->scale_columns)};
}

Weight TensorBinder::Vector(const std::string& name, int64_t columns) {
  return Vectors(name, 1, columns);
}

Weight TensorBinder::Vectors(const std::string& name, int64_t rows, int64_t columns) {
  const StoredTensor* stored = Take(name, rows, columns);
  if (stored == nullptr) return {};
  const DType dtype = stored->tensor.dtype;
  if (dtype == DType::kF32) return WeightOf(Str(stored->name), stored->tensor);
  if (IsFloat(dtype)) {
    const std::vector<float>& numbers = owned_.emplace_back(ToF32(stored->tensor));
    return WeightOf(Str(stored->name), {DType::kF32, numbers.data(), rows, columns});
  }
  misshapen_.push_back(fmt::format("{} is stored as {}, f32, f16 or bf16 expected", Quoted(name),
                                   Layout(dtype).name));
  return {};
}

Weight TensorBinder::Own(const std::string& name, std::vector<float> values) {
  const std::string& kept = names_.emplace_back(name);
  const std::vector<float>& numbers = owned_.emplace_back(std::move(values));
  return WeightOf(Str(kept),
                  {DType::kF32, numbers.data(), 1, static_cast<int64_t>(numbers.size())});
}

Weight TensorBinder::OwnMatrix(const std::string& name, DType dtype, int64_t rows, int64_t columns,
                               std::vector<std::byte> bytes) {
  const std::string& kept = names_.emplace_back(name);
  return WeightOf(Str(kept),
                  {dtype, owned_matrices_.emplace_back(std::move(bytes)).data(), rows, columns});
}

void TensorBinder::Ignore(const std::string& name) {
  if (const StoredTensor* stored = source_.FindTensor(name)) taken_.insert(stored);
}

bool TensorBinder::Ignored(std::string_view name) const {
  return name.ends_with("rotary_emb.inv_freq") ||
         std::any_of(ignored_prefixes_.begin(), ignored_prefixes_.end(),
                     [name](const std::string& prefix) { return name.starts_with(prefix); });
}

std::vector<std::string> TensorBinder::Unexpected() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < source_.TensorCount(); ++i) {
    const StoredTensor& stored = source_.TensorAt(i);
    if (!taken_.contains(&stored) && !Ignored(stored.name)) out.push_back(Quoted(stored.name));
  }
  return out;
}

Result<void> TensorBinder::Check(const std::string& model) const {
  const std::vector<std::string> unexpected = Unexpected();
  if (missing_.empty() && misshapen_.empty() && unexpected.empty()) return {};
  std::string message = fmt::format("{}: its tensors do not fit {}:", source_.Path(), model);
  Append(message, "missing", missing_);
  Append(message, "wrong", misshapen_);
  Append(message, "not expected", unexpected);
  return Error{Status::kInvalid, message};
}

}  // namespace tenon::models
