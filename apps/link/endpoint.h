// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tenon::apps::link {

// PEM files. Both sides show a certificate that `ca` signed.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string ca;
};

// Where a worker is reached: a Unix socket, or TCP with TLS.
struct Endpoint {
  std::string socket;  // path; or
  std::string host;    // "HOST:PORT", and
  TlsFiles tls;
};

// To call before anything else of gRPC: it logs nothing and takes no part in forks.
void PrepareGrpc();

}  // namespace tenon::apps::link
