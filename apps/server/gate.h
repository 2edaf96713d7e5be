// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>

#include "apps/server/api_keys.h"
#include "apps/server/router.h"

namespace tenon::apps::server {

// Where a request came from.
struct Peer {
  bool loopback = false;    // a client on this machine
  bool admin_port = false;  // through the listener of --admin-port
};

// What is known of a request by its head alone.
struct Verdict {
  const Route* route = nullptr;
  std::string parameter{};
  std::string tenant{};
  std::optional<Response> refusal{};  // then nothing else counts
};

// Says who may ask what, before a body is read. Immutable: any thread.
class Gate {
 public:
  // `routes` and `keys` outlive it. `separate_admin`: there is an admin port.
  Gate(std::span<const Route> routes, const ApiKeys& keys, bool separate_admin,
       uint64_t most_body_bytes)
      : routes_(routes),
        keys_(keys),
        separate_admin_(separate_admin),
        most_body_bytes_(most_body_bytes) {}

  Verdict Judge(const RequestHead& head, const Peer& peer) const;

 private:
  bool Shown(const Route& route, const Peer& peer) const;
  std::optional<Response> Refuse(const RequestHead& head, const Peer& peer,
                                 const RouteMatch& match) const;

  std::span<const Route> routes_;
  const ApiKeys& keys_;
  bool separate_admin_;
  uint64_t most_body_bytes_;
};

}  // namespace tenon::apps::server
