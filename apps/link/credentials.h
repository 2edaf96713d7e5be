// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "apps/link/endpoint.h"
#include "tenon/result.h"

namespace tenon::apps::link {

// None for a Unix socket, whose file's mode guards it; mutual TLS otherwise. kNotFound names a file
// that cannot be read.
Result<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const Endpoint& endpoint);
Result<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsOf(const Endpoint& endpoint);

// As gRPC writes it.
std::string AddressOf(const Endpoint& endpoint);

}  // namespace tenon::apps::link
