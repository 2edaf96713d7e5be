// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/workspace.h"

#include <algorithm>

#include "kernels/cpu/exact_gemm.h"

namespace tenon::quant {
namespace {

// A lane's part begins on its own page, so that lanes never share a line.
constexpr uint64_t RoundUp(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace

NativeWorkspace::~NativeWorkspace() {
  for (Region* region : {&shared_, &rows_, &scratch_, &order_}) device_.Free(region->memory);
}

bool NativeWorkspace::Grow(Region* region, uint64_t bytes, uint64_t* added) {
  if (bytes <= region->bytes) return true;
  void* memory = device_.Allocate(bytes);
  if (memory == nullptr) return false;
  if (region->memory != nullptr) device_.Free(region->memory);
  *added += bytes - region->bytes;
  *region = {memory, bytes};
  return true;
}

void* NativeWorkspace::At(const Region& region, uint64_t offset) {
  return region.memory == nullptr ? nullptr : static_cast<char*>(region.memory) + offset;
}

Status NativeWorkspace::Reserve(int64_t k, int64_t max_rows, bool int8, bool exact,
                                uint64_t* bytes) {
  const uint64_t lanes = static_cast<uint64_t>(std::max(device_.Info().lanes, 1));
  const uint64_t row =
      int8 ? static_cast<uint64_t>(cpu::Int8Blocks(k)) * sizeof(cpu::Int8Block) : 0;
  const int64_t kernel = exact ? cpu::ExactScratchFloats(k) * int64_t{sizeof(float)} : 0;
  const uint64_t lane_rows_bytes = std::max(RoundUp(kFewRows * row), rows_.bytes / lanes);
  const uint64_t lane_scratch_bytes =
      std::max(RoundUp(static_cast<uint64_t>(kernel)), scratch_.bytes / lanes);
  if (!Grow(&shared_, row * static_cast<uint64_t>(max_rows), bytes) ||
      !Grow(&rows_, lanes * lane_rows_bytes, bytes) ||
      !Grow(&scratch_, lanes * lane_scratch_bytes, bytes)) {
    return Status::kOutOfMemory;
  }
  shared_rows = static_cast<cpu::Int8Block*>(shared_.memory);
  lane_rows.resize(lanes);
  lane_scratch.resize(lanes);
  for (uint64_t lane = 0; lane < lanes; ++lane) {
    lane_rows[lane] = static_cast<cpu::Int8Block*>(At(rows_, lane * lane_rows_bytes));
    lane_scratch[lane] = At(scratch_, lane * lane_scratch_bytes);
  }
  return Status::kOk;
}

Status NativeWorkspace::ReserveOrder(uint64_t order_bytes, uint64_t* bytes) {
  const uint64_t lanes = static_cast<uint64_t>(std::max(device_.Info().lanes, 1));
  const uint64_t lane_bytes = std::max(RoundUp(order_bytes), order_.bytes / lanes);
  if (!Grow(&order_, lanes * lane_bytes, bytes)) return Status::kOutOfMemory;
  lane_order.resize(lanes);
  for (uint64_t lane = 0; lane < lanes; ++lane) lane_order[lane] = At(order_, lane * lane_bytes);
  return Status::kOk;
}

}  // namespace tenon::quant
