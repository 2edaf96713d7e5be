// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/workspace.h"

#include <algorithm>

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

Status NativeWorkspace::Reserve(int64_t k, int64_t max_rows, int64_t scratch_floats,
                                uint64_t* bytes) {
  const uint64_t lanes = static_cast<uint64_t>(std::max(device_.Info().lanes, 1));
  const uint64_t row =
      max_rows > 0 ? static_cast<uint64_t>(cpu::Int8Blocks(k)) * sizeof(cpu::Int8Block) : 0;
  const uint64_t kernel = static_cast<uint64_t>(scratch_floats) * sizeof(float);
  const uint64_t lane_rows_bytes = std::max(RoundUp(kFewRows * row), rows_.bytes / lanes);
  const uint64_t lane_scratch_bytes = std::max(RoundUp(kernel), scratch_.bytes / lanes);
  if (!Grow(&shared_, 2 * row * static_cast<uint64_t>(max_rows), bytes) ||
      !Grow(&rows_, lanes * lane_rows_bytes, bytes) ||
      !Grow(&scratch_, lanes * lane_scratch_bytes, bytes)) {
    return Status::kOutOfMemory;
  }
  shared_rows_[0] = static_cast<cpu::Int8Block*>(At(shared_, 0));
  shared_rows_[1] = static_cast<cpu::Int8Block*>(At(shared_, shared_.bytes / 2));
  turns_.resize(lanes);
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
