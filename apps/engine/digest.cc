// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstring>

#include "fmt/format.h"
#include "tenon/result.h"

namespace tenon::apps {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string Sha256Of(std::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(Bytes(text), text.size(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string HmacOf(std::string_view key, std::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), &length);
  TENON_CHECK(length == out.size());
  return out;
}

uint64_t First64Bits(std::string_view digest) {
  uint64_t out = 0;
  TENON_CHECK(digest.size() >= sizeof out);
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  TENON_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) ==
              1);
  return bytes;
}

std::string Hexadecimal(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace tenon::apps
