// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/http_head.h"
#include "tenon/result.h"

namespace tenon::apps::server {

// Who may ask. Holds digests, not keys. Immutable: any thread.
class ApiKeys {
 public:
  ApiKeys() = default;  // none: everyone may

  // One key a line; empty lines and those that begin with "#" are skipped. kInvalid, which never
  // holds a key, where a line is not 1 to 512 printable characters without spaces or there is none.
  static Result<ApiKeys> Parse(std::string_view text);

  bool empty() const { return keys_.empty(); }

  // The tenant of the key in `Authorization: Bearer KEY`, or `Basic` with the key as password (what
  // browsers ask for); nullopt: none, or unknown. Takes the same time whichever key is wrong, and
  // where.
  std::optional<std::string> Tenant(const RequestHead& head) const;
  // The same of a key alone. Where there are no keys, "" for every one.
  std::optional<std::string> TenantOf(std::string_view key) const;

 private:
  struct Key {
    std::string digest;  // HMAC-SHA256 under secret_
    std::string tenant;  // from the key alone: the same after a restart, and no way back
  };
  std::string secret_;  // of this process
  std::vector<Key> keys_;
};

// As many random bytes, two hexadecimal digits each.
std::string RandomHex(size_t bytes);
std::string Base64(std::string_view bytes);

}  // namespace tenon::apps::server
