// SPDX-License-Identifier: Apache-2.0
#include "apps/server/router.h"

namespace tenon::apps::server {
namespace {

bool Matches(std::string_view pattern, std::string_view path, std::string* parameter) {
  const size_t brace = pattern.find('{');
  if (brace == std::string_view::npos) return pattern == path;
  if (path.size() <= brace || path.substr(0, brace) != pattern.substr(0, brace)) return false;
  const auto decoded = DecodePercent(path.substr(brace));
  if (!decoded) return false;
  *parameter = *decoded;
  return true;
}

}  // namespace

RouteMatch FindRoute(std::span<const Route> routes, std::string_view method,
                     std::string_view path) {
  RouteMatch found;
  for (const Route& route : routes) {
    std::string parameter;
    if (!Matches(route.path, path, &parameter)) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      return {&route, std::move(parameter)};
    }
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += route.method;
    if (route.method == "GET") found.allow += ", HEAD";
  }
  return found;
}

}  // namespace tenon::apps::server
