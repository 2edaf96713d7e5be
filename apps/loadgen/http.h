// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "apps/loadgen/fetch.h"

// What the clients here share of Asio and Beast. Included by sources only.
namespace tenon::apps {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Errors come as values.
inline constexpr auto kAsTuple = net::as_tuple(net::use_awaitable);

using Addresses = net::ip::tcp::resolver::results_type;
net::awaitable<Result<Addresses>> Resolve(const Url& url);

// GET without a body, else POST of JSON; the connection stays open.
http::request<http::string_body> RequestOf(const LoadTarget& target, const std::string& path,
                                           const std::string& body);

std::chrono::steady_clock::duration Duration(double seconds);

}  // namespace tenon::apps
