// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::apps {

// 32 bytes each: SHA-256 (FIPS 180-4), and HMAC with it (RFC 2104). A file is hashed by apps/pull.
std::string Sha256Of(std::string_view text);
std::string HmacOf(std::string_view key, std::string_view text);

// The first eight bytes of a digest as a number: the same on every machine of one byte order.
uint64_t First64Bits(std::string_view digest);

// That nobody can guess. Any thread.
std::string RandomBytes(size_t count);

// Two lower-case digits a byte.
std::string Hexadecimal(std::string_view bytes);

}  // namespace tenon::apps
