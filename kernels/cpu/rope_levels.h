// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/exp.h"
#include "kernels/cpu/rope.h"

// The one body of the rotary embedding, compiled once a level. Plain loops that the compiler
// vectorises; bound by L1 when the angles are at hand.
namespace tenon::cpu {

const RopeFunctions& RopeGeneric();
const RopeFunctions& RopeAvx2();
const RopeFunctions& RopeAvx512();

namespace {

using F64Vector [[gnu::vector_size(sizeof(FloatVector))]] = double;
using I64Vector [[gnu::vector_size(sizeof(FloatVector))]] = int64_t;
using HalfVector [[gnu::vector_size(sizeof(FloatVector) / 2)]] = float;
constexpr int kDoubleLanes = kFloatLanes / 2;

struct SineCosine {
  F64Vector sine, cosine;
};

// pi / 2 in three parts of which the first two have 22 bits, so that their products with a
// quarter-turn count below 2^31 are exact; the polynomials' error is below 2e-11.
inline SineCosine SineCosineOf(F64Vector angle) {
  const F64Vector shifted = angle * 0x1.45f306dc9c883p-1 + 0x1.8p+52;  // rounds to nearest
  const F64Vector turns = shifted - 0x1.8p+52;
  const F64Vector r =
      ((angle - turns * 0x1.921fbp+0) - turns * 0x1.5110bp-22) - turns * 0x1.18469898cc517p-44;
  const F64Vector u = r * r;
  F64Vector s = F64Vector{} + 0x1.6dbbee1f24647p-19;
  s = s * u - 0x1.a013a11619d1bp-13;
  s = s * u + 0x1.11110dea5e8c0p-7;
  s = s * u - 0x1.555555545c0f8p-3;
  s = r + r * (u * s);
  F64Vector c = F64Vector{} - 0x1.2522e6d930e5bp-22;
  c = c * u + 0x1.a015c02820885p-16;
  c = c * u - 0x1.6c16bf51b0df9p-10;
  c = c * u + 0x1.555555550225fp-5;
  c = 1.0 - 0.5 * u + (u * u) * c;
  const I64Vector quarter = __builtin_bit_cast(I64Vector, shifted);
  const I64Vector odd = (quarter & 1) != 0;
  const F64Vector sine = odd ? c : s, cosine = odd ? s : c;
  return {(quarter & 2) != 0 ? -sine : sine, ((quarter + 1) & 2) != 0 ? -cosine : cosine};
}

// The angles of `count` pairs, at most kDoubleLanes.
inline void AnglesOf(const float* inverse_frequency, size_t count, double position,
                     double magnitude, float* cosines, float* sines) {
  HalfVector frequency{};
  std::memcpy(&frequency, inverse_frequency, count * sizeof(float));
  const SineCosine at = SineCosineOf(__builtin_convertvector(frequency, F64Vector) * position);
  const HalfVector c = __builtin_convertvector(at.cosine * magnitude, HalfVector);
  const HalfVector s = __builtin_convertvector(at.sine * magnitude, HalfVector);
  std::memcpy(cosines, &c, count * sizeof(float));
  std::memcpy(sines, &s, count * sizeof(float));
}

void Angles(const float* inverse_frequency, int64_t pairs, int32_t position, float magnitude,
            float* cosines, float* sines) {
  int64_t i = 0;
  for (; i + kDoubleLanes <= pairs; i += kDoubleLanes) {
    AnglesOf(inverse_frequency + i, kDoubleLanes, position, magnitude, cosines + i, sines + i);
  }
  if (i < pairs) {
    AnglesOf(inverse_frequency + i, static_cast<size_t>(pairs - i), position, magnitude,
             cosines + i, sines + i);
  }
}

void RotateHalves(float* x, int64_t heads, int64_t head_dim, int64_t pairs, const float* cosines,
                  const float* sines) {
  for (float* head = x; head != x + heads * head_dim; head += head_dim) {
    int64_t i = 0;
    for (; i + kFloatLanes <= pairs; i += kFloatLanes) {
      const FloatVector a = LoadVector(head + i), b = LoadVector(head + pairs + i);
      const FloatVector c = LoadVector(cosines + i), s = LoadVector(sines + i);
      StoreVector(head + i, a * c - b * s);
      StoreVector(head + pairs + i, b * c + a * s);
    }
    for (; i < pairs; ++i) {
      const float a = head[i], b = head[pairs + i];
      head[i] = a * cosines[i] - b * sines[i];
      head[pairs + i] = b * cosines[i] + a * sines[i];
    }
  }
}

void RotateNeighbours(float* x, int64_t heads, int64_t head_dim, int64_t pairs,
                      const float* __restrict cosines, const float* __restrict sines) {
  for (float* head = x; head != x + heads * head_dim; head += head_dim) {
    for (int64_t i = 0; i < pairs; ++i) {
      const float a = head[2 * i], b = head[2 * i + 1];
      head[2 * i] = a * cosines[i] - b * sines[i];
      head[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
  }
}

constexpr RopeFunctions kRope = {Angles, RotateHalves, RotateNeighbours};

}  // namespace
}  // namespace tenon::cpu
