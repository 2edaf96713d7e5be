// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tenon::cpu {
namespace {

double Silu(double x) { return x / (1 + std::exp(-x)); }
double GeluTanh(double x) {
  return x / (1 + std::exp(-2 * std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}
double Gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

struct Glu {
  const char* name;
  GluFunction function;
  double (*reference)(double);
};

std::vector<Glu> GlusOf(uint32_t level) {
  const ActivationFunctions& f = ActivationsOf(static_cast<Isa>(level));
  return {{"silu", f.silu, Silu}, {"gelu_tanh", f.gelu_tanh, GeluTanh}, {"gelu", f.gelu, Gelu}};
}

TEST(ActivationKernel, GluMatchesDoubleAtEveryLevel) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    std::vector<float> gate, up;
    for (float x = -20; x < 20; x += 0.0013f) gate.push_back(x), up.push_back(1.5f);
    std::vector<float> out(gate.size());
    for (const Glu& glu : GlusOf(level)) {
      glu.function(gate.data(), up.data(), static_cast<int64_t>(gate.size()), out.data());
      for (size_t i = 0; i < gate.size(); ++i) {
        const double want = 1.5 * glu.reference(gate[i]);
        // Where the gate's argument is squared or cubed its rounding is amplified, at values that
        // are small.
        const bool tail = gate[i] < -2;
        ASSERT_NEAR(out[i], want, (tail ? 9e-7 : 6e-7) * std::abs(want) + (tail ? 1e-9 : 0))
            << IsaLevels()[level].name << " " << glu.name << " of " << gate[i];
      }
    }
  }
}

TEST(ActivationKernel, ActivateIsTheGluOfOnesInPlaceToo) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const ActivationFunctions& f = ActivationsOf(static_cast<Isa>(level));
    const ActivateFunction activate[] = {f.activate_silu, f.activate_gelu_tanh, f.activate_gelu};
    const std::vector<Glu> glus = GlusOf(level);
    for (size_t k = 0; k < glus.size(); ++k) {
      for (const int64_t count : {1, 7, 16, 33, 1000}) {
        std::vector<float> x(static_cast<size_t>(count)), ones(x.size(), 1.0f), want(x.size());
        for (size_t i = 0; i < x.size(); ++i) x[i] = 0.37f * static_cast<float>(i % 61) - 11;
        std::vector<float> out(x.size() + 1, 77.0f);
        glus[k].function(x.data(), ones.data(), count, want.data());
        activate[k](x.data(), count, out.data());
        EXPECT_EQ(out.back(), 77.0f);
        out.pop_back();
        EXPECT_EQ(out, want) << IsaLevels()[level].name << " " << glus[k].name;
        activate[k](x.data(), count, x.data());
        EXPECT_EQ(x, want);
      }
    }
  }
}

TEST(ActivationKernel, ExtremesAndTailsStayInBounds) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    for (int64_t count = 0; count <= 40; ++count) {
      std::vector<float> gate(count, -1000.0f), up(count, 2.0f), out(count + 1, 77.0f);
      for (const Glu& glu : GlusOf(level)) {
        glu.function(gate.data(), up.data(), count, out.data());
        for (int64_t i = 0; i < count; ++i) EXPECT_LE(std::abs(out[i]), 1e-30f);
        EXPECT_EQ(out[count], 77.0f);
      }
    }
    const float x[4] = {1000.0f, infinity, std::nanf(""), 0.0f}, one[4] = {1, 1, 1, 1};
    for (const Glu& glu : GlusOf(level)) {
      float out[4];
      glu.function(x, one, 4, out);
      EXPECT_EQ(out[0], 1000.0f);
      EXPECT_EQ(out[1], infinity);
      EXPECT_TRUE(std::isnan(out[2]));
      EXPECT_EQ(out[3], 0.0f);
    }
  }
}

TEST(ActivationKernel, SoftCapAddAndScaleMatchDouble) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const ActivationFunctions& f = ActivationsOf(static_cast<Isa>(level));
    std::vector<float> x;
    for (float v = -400; v < 400; v += 0.173f) x.push_back(v), x.push_back(v * 1e-4f);
    const int64_t count = static_cast<int64_t>(x.size());
    std::vector<float> capped(x.size()), sum(x.size()), scaled(x.size());
    f.soft_cap(x.data(), 30.0f, count, capped.data());
    f.add(x.data(), capped.data(), count, sum.data());
    f.scale(x.data(), 24.0f, count, scaled.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = 30 * std::tanh(double{x[i]} / 30);
      EXPECT_NEAR(capped[i], want, 4e-7 * std::abs(want));
      EXPECT_EQ(sum[i], x[i] + capped[i]);
      EXPECT_EQ(scaled[i], 24.0f * x[i]);
    }
  }
}

}  // namespace
}  // namespace tenon::cpu
