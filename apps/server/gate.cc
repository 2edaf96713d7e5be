// SPDX-License-Identifier: Apache-2.0
#include "apps/server/gate.h"

#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

Response NoKey(std::string_view path) {
  Response response = ErrorResponse(
      MakeError(401, "an API key is needed: Authorization: Bearer KEY", "invalid_api_key"));
  // A browser that opens the page asks for the key; a program is not asked.
  response.fields.emplace_back("WWW-Authenticate",
                               path == "/" ? "Basic realm=\"tenon\"" : "Bearer");
  return response;
}

bool HasBearer(const RequestHead& head) {
  const std::string* field = head.Find("authorization");
  return field != nullptr && HasWord(field->substr(0, field->find(' ')), "bearer");
}

// A page from elsewhere in a browser that may reach this server. A key in a header is never sent on
// a page's behalf, so that only requests without one can be such.
bool IsForeignPage(const RequestHead& head) {
  const std::string* origin = head.Find("origin");
  if (origin == nullptr || HasBearer(head)) return false;
  const size_t host = origin->find("://");
  return host == std::string::npos || origin->substr(host + 3) != *head.Find("host");
}

}  // namespace

bool Gate::Shown(const Route& route, const Peer& peer) const {
  if (!separate_admin_) return true;
  if (!route.needs_key) return true;
  return (route.audience == Audience::kPublic) != peer.admin_port;
}

std::optional<Response> Gate::Refuse(const RequestHead& head, const Peer& peer,
                                     const RouteMatch& match) const {
  const bool shown = match.route == nullptr ? !match.allow.empty() : Shown(*match.route, peer);
  if (!shown) return ErrorResponse(MakeError(404, "there is no such path", "not_found"));
  if (match.route == nullptr) {
    Response response =
        ErrorResponse(MakeError(405, "this path takes only " + match.allow, "method_not_allowed"));
    response.fields.emplace_back("Allow", match.allow);
    return response;
  }
  if (match.route->audience == Audience::kAdmin &&
      (!peer.loopback || head.Find("x-forwarded-for") != nullptr ||
       head.Find("forwarded") != nullptr)) {
    return ErrorResponse(MakeError(403, "only this machine may ask that", "loopback_only"));
  }
  if (IsForeignPage(head) && (match.route->method != "GET" || match.route->upgrades)) {
    return ErrorResponse(MakeError(403, "pages of other origins need a key", "foreign_origin"));
  }
  if (head.body_bytes.value_or(0) > most_body_bytes_) {
    return ErrorResponse(MakeError(413, fmt::format("the body has {} bytes; at most {} allowed",
                                                    *head.body_bytes, most_body_bytes_)));
  }
  return std::nullopt;
}

Verdict Gate::Judge(const RequestHead& head, const Peer& peer) const {
  RouteMatch match = FindRoute(routes_, head.method, head.path);
  Verdict verdict{match.route, match.parameter};
  const bool open = match.route != nullptr && !match.route->needs_key;
  if (!keys_.empty() && !open) {
    const auto tenant = keys_.Tenant(head);
    if (!tenant) {
      verdict.refusal = NoKey(head.path);
      return verdict;
    }
    verdict.tenant = *tenant;
  }
  verdict.refusal = Refuse(head, peer, match);
  return verdict;
}

}  // namespace tenon::apps::server
