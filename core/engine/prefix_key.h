// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "tenon/types.h"

namespace tenon::core {

// Names a prefix: a chain of blocks from a sequence's first token on.
struct PrefixKey {
  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const PrefixKey&) const = default;
};

// Whose KV a prefix is: it is shared only among requests that agree in both.
struct PrefixOwner {
  uint64_t salt = 0;     // Request::cache_salt
  int32_t adapter = -1;  // Request::adapter

  bool operator==(const PrefixOwner&) const = default;
};

// What keys are made with. Who does not know it cannot choose tokens whose keys agree.
using PrefixSecret = std::array<uint64_t, 2>;

// A random one.
PrefixSecret NewPrefixSecret();

// SipHash-2-4 with 128 bits of result (Aumasson, Bernstein 2012), of little-endian bytes.
PrefixKey SipHash(const PrefixSecret& secret, Span<const uint8_t> bytes);

// The key before the first block of an owner's prefixes.
PrefixKey RootKey(const PrefixSecret& secret, const PrefixOwner& owner);

// The key of the prefix that `tokens` continue `parent` to.
PrefixKey NextKey(const PrefixSecret& secret, const PrefixKey& parent, Span<const int32_t> tokens);

}  // namespace tenon::core
