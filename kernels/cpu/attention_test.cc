// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/cpu/half.h"
#include "kernels/cpu/kv_int8.h"

namespace tenon::cpu {
namespace {

float Number(int32_t i) { return std::sin(static_cast<float>(i) * 1.7f + 0.3f); }

// A tile whose 128 slots are filled, and up to six rows against it.
struct Bench {
  KvBlock block;
  const AttentionKernels& kernels;
  std::vector<uint8_t> memory;
  std::vector<const uint8_t*> blocks;
  std::vector<float> k, v, q, scores, part;
  std::vector<const float*> q_rows;
  std::vector<RowView> views;
  float max[kAttentionRows], sum[kAttentionRows];

  Bench(Isa isa, KvBlock shape) : block(shape), kernels(AttentionKernelsFor(isa)) {
    memory.assign(static_cast<size_t>(block.bytes()) * kAttentionTileBlocks, 0xff);
    k.resize(static_cast<size_t>(block.head_dim) * kAttentionTileSlots);
    v.resize(static_cast<size_t>(block.value_dim) * kAttentionTileSlots);
    q.resize(static_cast<size_t>(q_stride()) * kAttentionRows);
    for (size_t i = 0; i < k.size(); ++i) k[i] = Number(static_cast<int32_t>(i));
    for (size_t i = 0; i < v.size(); ++i) v[i] = Number(static_cast<int32_t>(i) + 77);
    for (int32_t i = 0; i < q_stride() * kAttentionRows; ++i) {
      q[i] = i % q_stride() < block.head_dim ? Number(3 * i) : 0;
    }
    for (int32_t b = 0; b < kAttentionTileBlocks; ++b) {
      blocks.push_back(memory.data() + b * block.bytes());
    }
    for (int32_t j = 0; j < kAttentionTileSlots; ++j) {
      const float* row = k.data() + j * block.head_dim;
      kernels.append(block, row,
                     block.latent ? row + block.value_dim : v.data() + j * block.value_dim,
                     j % kKvBlockSlots, memory.data() + j / kKvBlockSlots * block.bytes());
    }
    scores.assign(kAttentionRows * kAttentionTileSlots, NAN);
    part.assign(static_cast<size_t>(kAttentionRows) * block.value_stride(), NAN);
    for (int32_t r = 0; r < kAttentionRows; ++r) {
      q_rows.push_back(q.data() + r * q_stride());
      views.push_back({r * 19, 128 - r * 3, 40, uint64_t{5} << r});
    }
  }

  int32_t q_stride() const { return block.latent ? block.key_stride() : block.head_dim; }
  const float* V(int32_t slot) const {
    return block.latent ? &k[slot * block.head_dim] : &v[slot * block.value_dim];
  }

  void Attend(int32_t first, int32_t rows, int32_t begin, int32_t end) {
    kernels.attend({block, 0.25f, 0, rows, begin, end, q_rows.data() + first, views.data() + first,
                    blocks.data(), nullptr, scores.data(), part.data(), block.value_stride(), max,
                    sum});
  }
};

// What is stored of x[i], one of a token's `count` values.
double Stored(DType type, const float* x, int32_t count, int32_t i) {
  const float value = x[i];
  if (type == DType::kI8) {
    const Int8Rounding rounding = Int8RoundingOf(x, count);
    return double{rounding.scale} * rounding.Code(value);
  }
  if (type == DType::kF16) return F16ToF32(F32ToF16(value));
  return type == DType::kBF16 ? Bf16ToF32(F32ToBf16(value)) : value;
}

const KvBlock kBlocks[] = {
    {DType::kF32, 64, 64},         {DType::kF16, 64, 64},        {DType::kBF16, 80, 80},
    {DType::kF16, 256, 256},       {DType::kF32, 7, 19},         {DType::kBF16, 1, 1},
    {DType::kI8, 64, 64},          {DType::kI8, 7, 19},          {DType::kI8, 256, 256},
    {DType::kF16, 576, 512, true}, {DType::kBF16, 48, 32, true}, {DType::kF32, 40, 23, true}};

TEST(AttentionKernels, AttendToTheVisibleSlotsOfATile) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    for (const KvBlock& block : kBlocks) {
      Bench bench(IsaLevels()[level].isa, block);
      bench.Attend(0, kAttentionRows, 0, 128);
      for (int32_t r = 0; r < kAttentionRows; ++r) {
        const RowView& view = bench.views[r];
        std::vector<double> out(block.value_dim);
        double sum = 0;
        for (int32_t j = view.begin; j < view.end; ++j) {
          if (j >= 40 && j < 104 && (view.hidden >> (j - 40) & 1) != 0) continue;
          double dot = 0;
          for (int32_t d = 0; d < block.head_dim; ++d) {
            dot += double{bench.q_rows[r][d]} *
                   Stored(block.dtype, &bench.k[j * block.head_dim], block.head_dim, d);
          }
          const double p = std::exp(0.25 * dot - bench.max[r]);
          EXPECT_LE(p, 1 + 1e-5);
          sum += p;
          for (int32_t d = 0; d < block.value_dim; ++d) {
            out[d] += p * Stored(block.dtype, bench.V(j), block.value_dim, d);
          }
        }
        EXPECT_NEAR(bench.sum[r] / sum, 1, 3e-6) << IsaLevels()[level].name;
        for (int32_t d = 0; d < block.value_stride(); ++d) {
          if (block.latent && d >= block.value_dim) break;  // what else the row holds
          const double expected = d < block.value_dim ? out[d] / sum : 0;
          EXPECT_NEAR(bench.part[r * block.value_stride() + d] / sum, expected, 3e-6)
              << IsaLevels()[level].name << ", row " << r << ", column " << d;
        }
      }
    }
  }
}

TEST(AttentionKernels, GiveARowTheSameBitsWithAnyRowsAndBlocksBesideIt) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    for (const KvBlock& block : kBlocks) {
      Bench all(IsaLevels()[level].isa, block), one(IsaLevels()[level].isa, block);
      all.Attend(0, kAttentionRows, 0, 128);
      for (int32_t rows = 1; rows < kAttentionRows; ++rows) {
        const int32_t first = kAttentionRows - rows;
        one.Attend(first, rows, one.views[first].begin, one.views[first].end);
        for (int32_t r = 0; r < rows; ++r) {
          const size_t stride = static_cast<size_t>(block.value_stride());
          EXPECT_EQ(std::memcmp(&one.part[r * stride], &all.part[(first + r) * stride], 4 * stride),
                    0)
              << IsaLevels()[level].name << ", " << rows << " rows";
          EXPECT_EQ(one.sum[r], all.sum[first + r]);
          EXPECT_EQ(one.max[r], all.max[first + r]);
        }
      }
    }
  }
}

TEST(AttentionKernels, StoreTheSameInt8CodesAtEveryLevel) {
  const KvBlock block = {DType::kI8, 64, 64};
  const Bench generic(Isa::kGeneric, block);
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const Bench bench(IsaLevels()[level].isa, block);
    EXPECT_EQ(bench.memory, generic.memory) << IsaLevels()[level].name;
  }
}

TEST(AttentionKernels, RoundToInt8WithinHalfAStep) {
  const float x[] = {-3.0f, 1.0f, 0.5f, 0.0f, 2.9999f, -0.0118f};
  const Int8Rounding rounding = Int8RoundingOf(x, 6);
  EXPECT_EQ(rounding.Code(-3.0f), -127);
  for (const float value : x) {
    EXPECT_NEAR(rounding.scale * static_cast<float>(rounding.Code(value)), value,
                rounding.scale * 0.5001f);
  }
  const float tiny[] = {0.0f, -0x1p-120f};
  EXPECT_EQ(Int8RoundingOf(tiny, 2).scale, 0);
  EXPECT_EQ(Int8RoundingOf(tiny, 2).Code(tiny[1]), 0);
}

TEST(AttentionKernels, PackRowsAsAppendingThemOneByOneDoes) {
  const KvBlock shapes[] = {{DType::kF32, 64, 64}, {DType::kF32, 7, 19}, {DType::kF32, 1, 1}};
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    for (const KvBlock& block : shapes) {
      const Bench bench(IsaLevels()[level].isa, block);
      const KvRows rows = {bench.k.data(), block.head_dim, bench.v.data(), block.value_dim};
      for (int32_t slots = 1; slots <= kKvBlockSlots; ++slots) {
        std::vector<float> packed(static_cast<size_t>(block.bytes()) / 4, 99), appended = packed;
        bench.kernels.pack(block, rows, slots, packed.data());
        for (int32_t slot = 0; slot < slots; ++slot) {
          bench.kernels.append(block, rows.k + slot * rows.k_stride, rows.v + slot * rows.v_stride,
                               slot, reinterpret_cast<uint8_t*>(appended.data()));
        }
        EXPECT_EQ(packed, appended) << IsaLevels()[level].name << ", " << slots << " slots";
      }
    }
  }
}

TEST(AttentionKernels, MergePartsAndDivideBySumAndSink) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const AttentionKernels& kernels = AttentionKernelsFor(IsaLevels()[level].isa);
    std::vector<float> values(16, 0.0f), first(16, 3.0f), second(16, 10.0f), out(5, NAN);
    AttentionRow row = {-INFINITY, 0, values.data()};
    kernels.finish(row, nullptr, 5, out.data());
    EXPECT_EQ(out[4], 0) << "a row that saw nothing";
    kernels.merge(-INFINITY, 0, second.data(), 16, &row);
    EXPECT_EQ(row.sum, 0);
    kernels.merge(1, 2, first.data(), 16, &row);
    kernels.merge(-INFINITY, 0, second.data(), 16, &row);
    EXPECT_EQ(row.max, 1);
    EXPECT_EQ(row.sum, 2);
    EXPECT_EQ(values[15], 3);
    kernels.merge(3, 4, second.data(), 16, &row);
    const double sum = 4 + 2 * std::exp(-2), value = 10 + 3 * std::exp(-2);
    EXPECT_NEAR(row.sum, sum, 1e-6);
    EXPECT_NEAR(values[0], value, 2e-6);
    kernels.finish(row, nullptr, 5, out.data());
    EXPECT_NEAR(out[4], value / sum, 1e-6);
    for (const float sink : {-50.0f, 2.0f, 5.0f, 90.0f}) {
      kernels.finish(row, &sink, 5, out.data());
      EXPECT_NEAR(out[0], value / (sum + std::exp(double{sink} - 3)), 1e-6) << sink;
    }
  }
}

}  // namespace
}  // namespace tenon::cpu
