// SPDX-License-Identifier: Apache-2.0
#include "core/program/memory_check.h"

#include <string>

#include "fmt/format.h"

namespace tenon::core {
namespace {

std::string Gigabytes(uint64_t bytes) {
  const double gigabytes = static_cast<double>(bytes) * 1e-9;
  return gigabytes >= 0.1 ? fmt::format("{:.1f} GB", gigabytes)
                          : fmt::format("{:.1f} MB", gigabytes * 1e3);
}

uint64_t StoredBytes(const Weight& weight) {
  const Tensor& tensor = weight.tensor;
  return BytesOf(tensor.dtype, static_cast<uint64_t>(tensor.rows * tensor.columns));
}

// What would make it fit: fewer KV slots where those alone are too many, else another model.
std::string Cure(const ProgramMemory& plan, uint64_t fixed_bytes, uint64_t free_bytes,
                 const ProgramLimits& limits) {
  const uint64_t left = free_bytes > fixed_bytes ? free_bytes - fixed_bytes : 0;
  const uint64_t page_bytes = plan.kv_token_bytes * static_cast<uint64_t>(plan.page_tokens);
  const uint64_t pages = page_bytes > 0 ? left / page_bytes : 0;
  if (pages == 0) {
    return "a model stored in fewer bits, a smaller scheduler.max_batch_tokens, or more memory";
  }
  const auto tokens = static_cast<int64_t>(pages) * plan.page_tokens;
  if (tokens >= limits.max_context) return fmt::format("memory.kv_tokens: {}", tokens);
  return fmt::format("memory.kv_tokens: {} with memory.context_tokens: {}", tokens, tokens);
}

}  // namespace

uint64_t WeightBytes(const ProgramList& list, const Makers& makers) {
  uint64_t bytes = 0;
  for (int32_t i = 0; i < list.Count(); ++i) {
    const Node node = list.At(i);
    if (node.family != Family::kQuant) continue;
    const OpMaker* quant = makers.by_family[static_cast<size_t>(Family::kQuant)];
    const bool own = node.maker == nullptr || node.maker == quant;
    if (own && makers.footprint != nullptr) {
      bytes += makers.footprint->WeightBytes(node);
      continue;
    }
    for (const Weight& weight : node.weights) bytes += StoredBytes(weight);
  }
  return bytes;
}

Result<void> CheckMemory(const ProgramMemory& plan, uint64_t weights_bytes,
                         const ProgramLimits& limits, Device& device) {
  const uint64_t free_bytes = device.Info().free_bytes;
  const uint64_t fixed_bytes = weights_bytes + plan.arena_bytes;
  if (free_bytes == 0 || fixed_bytes + plan.kv_bytes <= free_bytes) return {};
  return Error{
      Status::kOutOfMemory,
      fmt::format("it needs {} for weights, {} for K and V of {} tokens and {} for activations; {} "
                  "are free on {}. Try {}",
                  Gigabytes(weights_bytes), Gigabytes(plan.kv_bytes),
                  int64_t{plan.pages} * plan.page_tokens, Gigabytes(plan.arena_bytes),
                  Gigabytes(free_bytes), std::string_view(device.Info().kind),
                  Cure(plan, fixed_bytes, free_bytes, limits))};
}

}  // namespace tenon::core
