// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "apps/server/exchange.h"

namespace tenon::apps::server {

class Handlers;

enum class Audience : uint8_t {
  kPublic,
  kWatcher,  // on the admin port where there is one
  kAdmin,    // as kWatcher, and from this machine only
};

struct Route {
  std::string_view method;
  std::string_view path;  // a last part "{…}" stands for whatever is there
  void (Handlers::*handle)(const std::shared_ptr<Exchange>& exchange);
  bool needs_key = true;
  bool is_work = false;  // refused while the server drains
  Audience audience = Audience::kPublic;
  bool upgrades = false;  // to a WebSocket
};

struct RouteMatch {
  const Route* route = nullptr;  // nullptr: none
  std::string parameter{};
  std::string allow{};  // where only the method is wrong: those that there are
};

// HEAD finds what GET does.
RouteMatch FindRoute(std::span<const Route> routes, std::string_view method, std::string_view path);

}  // namespace tenon::apps::server
