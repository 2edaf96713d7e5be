// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/lora_op.h"

#include <algorithm>

#include "kernels/cpu/dequantize.h"

namespace tenon::quant {
namespace {

uint64_t Aligned(int64_t bytes) { return (static_cast<uint64_t>(bytes) + 63) / 64 * 64; }

bool AnyAdapter(const Batch& batch) {
  for (int32_t i = 0; i < batch.sequences; ++i) {
    if (batch.spans[i].adapter >= 0) return true;
  }
  return false;
}

float* RowOf(const Buffer& buffer, int32_t row) {
  return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
}

// Row `row` of a factor as f32.
void ReadRow(cpu::Isa isa, const Tensor& tensor, int64_t row, float* out) {
  const uint64_t bytes = BytesOf(tensor.dtype, static_cast<uint64_t>(tensor.columns));
  cpu::Dequantize(isa, tensor.dtype,
                  static_cast<const char*>(tensor.data) + static_cast<uint64_t>(row) * bytes,
                  tensor.columns, out);
}

}  // namespace

LoraWorkspace::~LoraWorkspace() { device_.Free(memory_); }

Status LoraWorkspace::Reserve(int64_t rows, int64_t groups, int64_t ranks, uint64_t* bytes) {
  rows = std::max(rows, rows_);
  groups = std::max(groups, groups_);
  ranks = std::max(ranks, ranks_);
  const uint64_t lane =
      Aligned(kBlockRows * ranks * 4) + 2 * Aligned(rows * 4) + Aligned(groups * 4 + 4);
  const uint64_t wanted = lane * static_cast<uint64_t>(std::max(device_.Info().lanes, 1));
  if (wanted > bytes_) {
    void* memory = device_.Allocate(wanted);
    if (memory == nullptr) return Status::kOutOfMemory;
    device_.Free(memory_);
    memory_ = static_cast<char*>(memory);
    *bytes += wanted - bytes_;
    bytes_ = wanted;
  }
  rows_ = rows;
  groups_ = groups;
  ranks_ = ranks;
  lane_bytes_ = lane;
  return Status::kOk;
}

LoraWorkspace::Scratch LoraWorkspace::Of(int32_t lane) const {
  char* at = memory_ + static_cast<uint64_t>(lane) * lane_bytes_;
  const auto take = [&at](int64_t bytes) {
    char* taken = at;
    at += Aligned(bytes);
    return taken;
  };
  Scratch scratch;
  scratch.y = reinterpret_cast<float*>(take(kBlockRows * ranks_ * 4));
  scratch.order = reinterpret_cast<int32_t*>(take(rows_ * 4));
  scratch.group = reinterpret_cast<int32_t*>(take(rows_ * 4));
  scratch.first_place = reinterpret_cast<int32_t*>(take(groups_ * 4 + 4));
  return scratch;
}

bool LoraOp::PackA(const std::vector<const LoraPart*>& parts, Group* group, uint64_t* bytes) {
  std::vector<const Tensor*> factors;
  for (const LoraPart* part : parts) {
    int64_t first_rank = 0;
    size_t i = 0;
    // Slices of one matrix share their A.
    while (i < factors.size() && factors[i]->data != part->a.data) first_rank += factors[i++]->rows;
    if (i == factors.size()) {
      factors.push_back(&part->a);
      group->ranks += part->a.rows;
    }
    group->parts.push_back({nullptr, part->a.rows, first_rank, part->b.rows, part->first_column});
  }
  const int64_t inputs = x_.columns;
  const int64_t floats = LoraPackedFloats(inputs, group->ranks);
  float* packed =
      static_cast<float*>(arena_.Allocate(static_cast<uint64_t>(floats) * sizeof(float), bytes));
  if (packed == nullptr) return false;
  group->a = packed;
  std::vector<float> row(static_cast<size_t>(inputs));
  int64_t rank = 0;
  for (const Tensor* factor : factors) {
    for (int64_t r = 0; r < factor->rows; ++r, ++rank) {
      ReadRow(isa_, *factor, r, row.data());
      for (int64_t i = 0; i < inputs; ++i) {
        packed[LoraPackedIndex(inputs, i, rank)] = row[static_cast<size_t>(i)];
      }
    }
  }
  return true;
}

const float* LoraOp::PackB(const LoraPart& part, uint64_t* bytes) {
  const int64_t rank = part.b.columns;
  const int64_t floats = LoraPackedFloats(rank, part.b.rows);
  float* packed =
      static_cast<float*>(arena_.Allocate(static_cast<uint64_t>(floats) * sizeof(float), bytes));
  if (packed == nullptr) return nullptr;
  float row[kMostLoraRank];
  for (int64_t n = 0; n < part.b.rows; ++n) {
    ReadRow(isa_, part.b, n, row);
    for (int64_t r = 0; r < rank; ++r) {
      packed[LoraPackedIndex(rank, r, n)] = part.scale * row[r];
    }
  }
  return packed;
}

Status LoraOp::Load(const std::vector<LoraPart>& parts, const Buffer& x, const Buffer& out,
                    PlannedOp* planned) {
  x_ = x;
  out_ = out;
  int32_t adapters = 0;
  for (const LoraPart& part : parts) adapters = std::max(adapters, part.adapter + 1);
  group_of_.assign(static_cast<size_t>(adapters), -1);
  int64_t most_ranks = 0;
  for (int32_t adapter = 0; adapter < adapters; ++adapter) {
    std::vector<const LoraPart*> own;
    for (const LoraPart& part : parts) {
      if (part.adapter == adapter) own.push_back(&part);
    }
    if (own.empty()) continue;
    group_of_[static_cast<size_t>(adapter)] = static_cast<int32_t>(groups_.size());
    Group& group = groups_.emplace_back();
    if (!PackA(own, &group, &planned->weight_bytes)) return Status::kOutOfMemory;
    for (size_t i = 0; i < own.size(); ++i) {
      group.parts[i].b = PackB(*own[i], &planned->weight_bytes);
      if (group.parts[i].b == nullptr) return Status::kOutOfMemory;
    }
    most_ranks = std::max(most_ranks, group.ranks);
  }
  return workspace_.Reserve(x.max_rows, static_cast<int64_t>(groups_.size()), most_ranks,
                            &planned->scratch_bytes);
}

int32_t LoraOp::GroupOf(const Batch& batch, int32_t row) const noexcept {
  const int32_t token = x_.rows == RowSet::kLogitRows ? batch.logit_row_tokens[row] : row;
  const int32_t adapter = batch.spans[batch.token_sequence[token]].adapter;
  const bool known = adapter >= 0 && adapter < static_cast<int32_t>(group_of_.size());
  return known ? group_of_[static_cast<size_t>(adapter)] : -1;
}

void LoraOp::Sort(const Batch& batch, RowRange range,
                  const LoraWorkspace::Scratch& scratch) noexcept {
  const auto groups = static_cast<int32_t>(groups_.size());
  int32_t* first = scratch.first_place;
  std::fill_n(first, groups + 1, 0);
  for (int32_t row = range.begin; row < range.end; ++row) {
    const int32_t group = GroupOf(batch, row);
    scratch.group[row - range.begin] = group;
    if (group >= 0) ++first[group];
  }
  int32_t place = 0;
  for (int32_t g = 0; g <= groups; ++g) {
    place += first[g];
    first[g] = place;  // one past the group's rows, until they are put there from the back
  }
  for (int32_t row = range.end - 1; row >= range.begin; --row) {
    const int32_t group = scratch.group[row - range.begin];
    if (group >= 0) scratch.order[--first[group]] = row;
  }
}

void LoraOp::Apply(const Group& group, const int32_t* rows, int64_t count, float* y) noexcept {
  const float* x[LoraWorkspace::kBlockRows];
  float* out[LoraWorkspace::kBlockRows];
  for (int64_t i = 0; i < count; ++i) {
    x[i] = RowOf(x_, rows[i]);
    out[i] = y + i * group.ranks;
  }
  product_({x, out, count, group.a, x_.columns, group.ranks, false});
  for (const Part& part : group.parts) {
    for (int64_t i = 0; i < count; ++i) {
      x[i] = y + i * group.ranks + part.first_rank;
      out[i] = RowOf(out_, rows[i]) + part.first_column;
    }
    product_({x, out, count, part.b, part.rank, part.rows, true});
  }
}

void LoraOp::Run(const Batch& batch, const Lane& lane) noexcept {
  const RowRange range = RowsOf(lane, RowCount(batch, x_.rows));
  if (range.begin >= range.end || !AnyAdapter(batch)) return;
  const LoraWorkspace::Scratch scratch = workspace_.Of(lane.index);
  Sort(batch, range, scratch);
  for (size_t g = 0; g < groups_.size(); ++g) {
    int64_t from = scratch.first_place[g];
    const int64_t end = scratch.first_place[g + 1];
    for (; from < end; from += LoraWorkspace::kBlockRows) {
      Apply(groups_[g], scratch.order + from, std::min(LoraWorkspace::kBlockRows, end - from),
            scratch.y);
    }
  }
}

}  // namespace tenon::quant
