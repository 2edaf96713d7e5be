// SPDX-License-Identifier: Apache-2.0
#include "apps/link/credentials.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace tenon::apps::link {
namespace {

struct TlsTexts {
  std::string certificate, key, ca;
};

Result<std::string> ReadPem(const char* what, const std::string& path) {
  if (path.empty()) {
    return Error{Status::kInvalid,
                 std::string("a link over TCP needs TLS: ") + what + " is missing"};
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || text.empty()) {
    return Error{Status::kNotFound, path + ": " + what + " cannot be read: " +
                                        std::strerror(errno != 0 ? errno : EIO)};
  }
  return text;
}

Result<TlsTexts> ReadTls(const TlsFiles& files) {
  TlsTexts out;
  for (const auto& [what, path, text] :
       {std::tuple("--tls-cert", &files.certificate, &out.certificate),
        std::tuple("--tls-key", &files.key, &out.key),
        std::tuple("--tls-ca", &files.ca, &out.ca)}) {
    auto read = ReadPem(what, *path);
    TENON_RETURN_IF_ERROR(read);
    *text = std::move(*read);
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const Endpoint& endpoint) {
  if (!endpoint.socket.empty()) return grpc::InsecureServerCredentials();
  auto tls = ReadTls(endpoint.tls);
  TENON_RETURN_IF_ERROR(tls);
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls->ca;
  options.pem_key_cert_pairs.push_back({tls->key, tls->certificate});
  return grpc::SslServerCredentials(options);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsOf(const Endpoint& endpoint) {
  if (!endpoint.socket.empty()) return grpc::InsecureChannelCredentials();
  auto tls = ReadTls(endpoint.tls);
  TENON_RETURN_IF_ERROR(tls);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = tls->ca;
  options.pem_private_key = tls->key;
  options.pem_cert_chain = tls->certificate;
  return grpc::SslCredentials(options);
}

std::string AddressOf(const Endpoint& endpoint) {
  return endpoint.socket.empty() ? endpoint.host : "unix:" + endpoint.socket;
}

}  // namespace tenon::apps::link
