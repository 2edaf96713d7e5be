// SPDX-License-Identifier: Apache-2.0
#include "apps/server/api_keys.h"

#include <algorithm>

#include "apps/engine/digest.h"
#include "fmt/format.h"
#include "openssl/crypto.h"
#include "openssl/evp.h"

namespace tenon::apps::server {
namespace {

constexpr size_t kMostKeyBytes = 512;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Of `Basic`, the password.
std::string PasswordOf(std::string_view encoded) {
  if (encoded.empty() || encoded.size() % 4 != 0 || encoded.size() > 2 * kMostKeyBytes) return "";
  std::string text(encoded.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()), Bytes(encoded),
                                     static_cast<int>(encoded.size()));
  if (length < 0) return "";
  text.resize(static_cast<size_t>(length) - (encoded.ends_with("==")  ? 2
                                             : encoded.ends_with("=") ? 1
                                                                      : 0));
  const size_t colon = text.find(':');
  return colon == std::string::npos ? "" : text.substr(colon + 1);
}

std::string KeyOf(const RequestHead& head) {
  const std::string* field = head.Find("authorization");
  if (field == nullptr) return "";
  const size_t space = field->find(' ');
  if (space == std::string::npos) return "";
  const std::string_view scheme = std::string_view(*field).substr(0, space);
  const std::string_view rest = std::string_view(*field).substr(space + 1);
  if (HasWord(scheme, "bearer")) return std::string(rest);
  return HasWord(scheme, "basic") ? PasswordOf(rest) : "";
}

}  // namespace

std::string RandomHex(size_t bytes) { return Hexadecimal(RandomBytes(bytes)); }

std::string Base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), Bytes(bytes),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

Result<ApiKeys> ApiKeys::Parse(std::string_view text) {
  ApiKeys keys;
  keys.secret_ = RandomBytes(32);
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = text.find('\n');
    std::string_view key = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (key.ends_with('\r')) key.remove_suffix(1);
    if (key.empty() || key[0] == '#') continue;
    const bool printable =
        std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!printable || key.size() > kMostKeyBytes) {
      return Error{Status::kInvalid,
                   fmt::format("API keys, line {}: {} bytes; 1 to {} printable ASCII characters "
                               "without spaces are wanted",
                               line, key.size(), kMostKeyBytes)};
    }
    keys.keys_.push_back(
        {HmacOf(keys.secret_, key), Hexadecimal(HmacOf(key, "tenon tenant 1").substr(0, 16))});
  }
  if (keys.keys_.empty()) return Error{Status::kInvalid, "API keys: there is none; one a line"};
  return keys;
}

std::optional<std::string> ApiKeys::Tenant(const RequestHead& head) const {
  return TenantOf(KeyOf(head));
}

std::optional<std::string> ApiKeys::TenantOf(std::string_view asked) const {
  if (keys_.empty()) return "";
  const std::string digest = HmacOf(secret_, asked);
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (CRYPTO_memcmp(digest.data(), key.digest.data(), digest.size()) == 0) found = &key;
  }
  if (found == nullptr) return std::nullopt;
  return found->tenant;
}

}  // namespace tenon::apps::server
