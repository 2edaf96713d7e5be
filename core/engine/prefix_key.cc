// SPDX-License-Identifier: Apache-2.0
#include "core/engine/prefix_key.h"

#include <bit>
#include <cstring>
#include <random>

namespace tenon::core {
namespace {

// The state of SipHash, fed with words; the caller cuts its message into them.
class SipState {
 public:
  explicit SipState(const PrefixSecret& secret)
      : v0_(secret[0] ^ 0x736f6d6570736575),
        v1_(secret[1] ^ 0x646f72616e646f6d ^ 0xee),
        v2_(secret[0] ^ 0x6c7967656e657261),
        v3_(secret[1] ^ 0x7465646279746573) {}

  void Word(uint64_t word) {
    v3_ ^= word;
    Rounds(2);
    v0_ ^= word;
  }

  // `rest`: the bytes after the last whole word, fewer than 8.
  PrefixKey End(uint64_t rest, uint64_t all_bytes) {
    Word(rest | all_bytes << 56);
    v2_ ^= 0xee;
    Rounds(4);
    const uint64_t low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    Rounds(4);
    return {low, v0_ ^ v1_ ^ v2_ ^ v3_};
  }

 private:
  void Rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0_ += v1_;
      v2_ += v3_;
      v1_ = std::rotl(v1_, 13) ^ v0_;
      v3_ = std::rotl(v3_, 16) ^ v2_;
      v0_ = std::rotl(v0_, 32);
      v2_ += v1_;
      v0_ += v3_;
      v1_ = std::rotl(v1_, 17) ^ v2_;
      v3_ = std::rotl(v3_, 21) ^ v0_;
      v2_ = std::rotl(v2_, 32);
    }
  }

  uint64_t v0_, v1_, v2_, v3_;
};

uint64_t Both(int32_t first, int32_t second) {
  return static_cast<uint32_t>(first) | static_cast<uint64_t>(static_cast<uint32_t>(second)) << 32;
}

}  // namespace

PrefixSecret NewPrefixSecret() {
  std::random_device random;
  const auto word = [&] { return static_cast<uint64_t>(random()) << 32 | random(); };
  return {word(), word()};
}

PrefixKey SipHash(const PrefixSecret& secret, Span<const uint8_t> bytes) {
  SipState state(secret);
  uint64_t at = 0;
  for (; at + 8 <= bytes.size; at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data + at, 8);
    state.Word(word);
  }
  uint64_t rest = 0;
  for (uint64_t i = at; i < bytes.size; ++i) rest |= uint64_t{bytes[i]} << 8 * (i - at);
  return state.End(rest, bytes.size);
}

PrefixKey RootKey(const PrefixSecret& secret, const PrefixOwner& owner) {
  SipState state(secret);
  state.Word(owner.salt);
  return state.End(static_cast<uint32_t>(owner.adapter), 12);
}

PrefixKey NextKey(const PrefixSecret& secret, const PrefixKey& parent, Span<const int32_t> tokens) {
  SipState state(secret);
  state.Word(parent.low);
  state.Word(parent.high);
  uint64_t at = 0;
  for (; at + 2 <= tokens.size; at += 2) state.Word(Both(tokens[at], tokens[at + 1]));
  return state.End(at < tokens.size ? static_cast<uint32_t>(tokens[at]) : 0, 16 + 4 * tokens.size);
}

}  // namespace tenon::core
