// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "apps/server/crowd.h"
#include "apps/server/front.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"

namespace tenon::apps::server {

// Whether a head asks for a WebSocket as RFC 6455 has it.
bool IsWebSocketRequest(const RequestHead& head);

// Goes on with a connection as a WebSocket: takes one message, hands it to `route` as the request's
// body, sends each part of the answer as a message of its own, `[DONE]` behind a stream's last, and
// closes. A second message, or the client's leaving, ends the exchange. `head`: the request's
// bytes. What outlives what: as with Connection.
void StartWebSocket(std::shared_ptr<boost::asio::io_context> machine,
                    boost::asio::ip::tcp::socket socket, std::string_view head, Request request,
                    const Route& route, Front& front, Crowd& crowd);

}  // namespace tenon::apps::server
