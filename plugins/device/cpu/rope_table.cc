// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/rope_table.h"

#include <algorithm>

namespace tenon::cpu {

RopeTable::RopeTable(std::span<const float> inverse_frequency, float magnitude, RowSet rows,
                     int32_t max_rows)
    : inverse_frequency_(inverse_frequency.begin(), inverse_frequency.end()),
      magnitude_(magnitude),
      rows_(rows),
      max_rows_(max_rows) {}

uint64_t RopeTable::bytes() const {
  return static_cast<uint64_t>(max_rows_) *
         (sizeof(uint64_t) + 2 * sizeof(float) * inverse_frequency_.size());
}

bool RopeTable::Reserve(HostMemory* memory) {
  const uint64_t tag_bytes = sizeof(uint64_t) * static_cast<uint64_t>(max_rows_);
  tags_ = static_cast<uint64_t*>(memory->Allocate(tag_bytes));
  values_ = static_cast<float*>(memory->Allocate(bytes() - tag_bytes));
  if (tags_ != nullptr && values_ != nullptr) return true;
  memory->Free(tags_);
  memory->Free(values_);
  return false;
}

bool RopeTable::Serves(std::span<const float> inverse_frequency, float magnitude, RowSet rows,
                       int32_t max_rows) const {
  return magnitude == magnitude_ && rows == rows_ && max_rows <= max_rows_ &&
         std::equal(inverse_frequency.begin(), inverse_frequency.end(), inverse_frequency_.begin(),
                    inverse_frequency_.end());
}

RopeTable* RopeTables::Get(HostMemory* memory, std::span<const float> inverse_frequency,
                           float magnitude, RowSet rows, int32_t max_rows, uint64_t* made_bytes) {
  *made_bytes = 0;
  for (const auto& table : tables_) {
    if (table->Serves(inverse_frequency, magnitude, rows, max_rows)) return table.get();
  }
  auto table = std::make_unique<RopeTable>(inverse_frequency, magnitude, rows, max_rows);
  if (!table->Reserve(memory)) return nullptr;
  *made_bytes = table->bytes();
  tables_.push_back(std::move(table));
  return tables_.back().get();
}

}  // namespace tenon::cpu
