// SPDX-License-Identifier: Apache-2.0
#include "apps/server/machine.h"

#include <exception>
#include <utility>

#include "apps/server/connection.h"
#include "boost/asio/dispatch.hpp"
#include "boost/asio/post.hpp"

namespace tenon::apps::server {

void Machine::Flush(std::shared_ptr<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    to_flush_.push_back(std::move(connection));
    if (to_flush_.size() > 1) return;
  }
  boost::asio::post(context_, [this] { FlushAll(); });
}

void Machine::FlushAll() {
  std::vector<std::shared_ptr<Connection>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(to_flush_);
  }
  // What one of them cannot do costs the others nothing.
  std::exception_ptr failed;
  for (std::shared_ptr<Connection>& one : all) {
    try {
      Connection& connection = *one;
      boost::asio::dispatch(connection.executor(), [one = std::move(one)] { one->Flush(); });
    } catch (...) {
      failed = std::current_exception();
    }
  }
  if (failed) std::rethrow_exception(failed);
}

}  // namespace tenon::apps::server
