// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "apps/loadgen/http.h"
#include "apps/loadgen/load.h"

namespace tenon::apps {

using Connection = std::unique_ptr<beast::tcp_stream>;

// What the exchanges of a run share. Used from the run's thread only.
struct ExchangePlace {
  const LoadOptions& options;
  Addresses addresses;
  std::vector<Connection> idle;    // open, and free
  std::function<double()> now;     // seconds since the run began
  std::function<void()> on_chunk;  // one with output came
};

// Sends one request and takes its answer in; everything seen goes to `result`, also if it is
// dropped midway.
net::awaitable<void> Exchange(ExchangePlace& place, const LoadRequest& request, LoadResult& result);

}  // namespace tenon::apps
