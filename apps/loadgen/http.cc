// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/http.h"

namespace tenon::apps {

net::awaitable<Result<Addresses>> Resolve(const Url& url) {
  net::ip::tcp::resolver resolver(co_await net::this_coro::executor);
  auto [error, found] = co_await resolver.async_resolve(url.host, url.port, kAsTuple);
  if (error) co_return Error{Status::kIo, url.host + ":" + url.port + ": " + error.message()};
  co_return found;
}

http::request<http::string_body> RequestOf(const LoadTarget& target, const std::string& path,
                                           const std::string& body) {
  const bool bare_ipv6 = target.url.host.find(':') != std::string::npos;
  const std::string host = bare_ipv6 ? "[" + target.url.host + "]" : target.url.host;
  http::request<http::string_body> request(body.empty() ? http::verb::get : http::verb::post,
                                           target.url.path + path, 11, body);
  request.set(http::field::host, host + ":" + target.url.port);
  request.set(http::field::user_agent, "tenon bench-serve");
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  if (!target.api_key.empty()) request.set(http::field::authorization, "Bearer " + target.api_key);
  request.prepare_payload();
  return request;
}

std::chrono::steady_clock::duration Duration(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

}  // namespace tenon::apps
