// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::decoding {

// A counter-based generator: the number is a function of key and counter alone, so there is no
// state to share or to lose. Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy
// as 1, 2, 3").
struct Philox {
  uint32_t words[4];

  static constexpr Philox At(uint64_t key, uint64_t counter, uint64_t counter_high = 0) {
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    Philox x = {{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                 static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)}};
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * x.words[0];
      const uint64_t b = uint64_t{0xCD9E8D57} * x.words[2];
      x = {{static_cast<uint32_t>(b >> 32) ^ x.words[1] ^ k0, static_cast<uint32_t>(b),
            static_cast<uint32_t>(a >> 32) ^ x.words[3] ^ k1, static_cast<uint32_t>(a)}};
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return x;
  }

  // Uniform in [0, 1), 53 bits.
  constexpr double Uniform() const {
    const uint64_t bits = uint64_t{words[0]} << 32 | words[1];
    return static_cast<double>(bits >> 11) * 0x1p-53;
  }
};

}  // namespace tenon::decoding
