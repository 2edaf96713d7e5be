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

std::vector<float> ToF32(const Tensor& tensor) {
  std::vector<float> out(static_cast<size_t>(tensor.columns));
  const char* from = static_cast<const char*>(tensor.data);
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
  const bool again = std::find(taken_.begin(), taken_.end(), stored) != taken_.end();
  if (!again) {
    const uint64_t values = static_cast<uint64_t>(stored->tensor.rows * stored->tensor.columns);
    taken_.push_back(stored);
    values_ += values;
    bytes_ += BytesOf(stored->tensor.dtype, values);
  }
  if ((rows != 0 && stored->tensor.rows != rows) || stored->tensor.columns != columns) {
    misshapen_.push_back(fmt::format("{} is {}, {} expected", Quoted(name),
                                     Shape(stored->tensor.rows, stored->tensor.columns),
                                     Shape(rows, columns)));
    return nullptr;
  }
  return stored;
}

Weight TensorBinder::Matrix(const std::string& name, int64_t rows, int64_t columns) {
  const StoredTensor* stored = Take(name, rows, columns);
  return stored != nullptr ? WeightOf(Str(stored->name), stored->tensor) : Weight{};
}

Weight TensorBinder::Vector(const std::string& name, int64_t columns) {
  const StoredTensor* stored = Take(name, 1, columns);
  if (stored == nullptr) return {};
  const DType dtype = stored->tensor.dtype;
  if (dtype == DType::kF32) return WeightOf(Str(stored->name), stored->tensor);
  if (dtype == DType::kF16 || dtype == DType::kBF16) return Own(name, ToF32(stored->tensor));
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

void TensorBinder::Ignore(const std::string& name) {
  if (const StoredTensor* stored = source_.FindTensor(name)) taken_.push_back(stored);
}

std::vector<std::string> TensorBinder::Unexpected() const {
  std::vector<const StoredTensor*> taken = taken_;
  std::sort(taken.begin(), taken.end());
  std::vector<std::string> out;
  for (size_t i = 0; i < source_.TensorCount(); ++i) {
    const StoredTensor& stored = source_.TensorAt(i);
    if (std::binary_search(taken.begin(), taken.end(), &stored) ||
        stored.name.ends_with("rotary_emb.inv_freq")) {
      continue;
    }
    out.push_back(Quoted(stored.name));
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
