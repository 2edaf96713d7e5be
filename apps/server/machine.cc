// SPDX-License-Identifier: Apache-2.0
#include "apps/server/machine.h"

#include <exception>
#include <iterator>
#include <utility>

#include "apps/server/connection.h"
#include "boost/asio/dispatch.hpp"
#include "boost/asio/post.hpp"

namespace tenon::apps::server {
namespace {

// That one thread sends for; about half a millisecond.
constexpr size_t kAtOnce = 64;

}  // namespace

void Machine::Flush(std::shared_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (to_flush_.empty()) boost::asio::post(context_, [this] { FlushSome(); });
  to_flush_.push_back(std::move(connection));
}

void Machine::FlushSome() {
  Connections some;
  {
    const std::lock_guard lock(mutex_);
    if (to_flush_.size() <= kAtOnce) {
      some.swap(to_flush_);
    } else {
      // The rest is for whoever of the threads has time.
      boost::asio::post(context_, [this] { FlushSome(); });
      const auto end = to_flush_.begin() + kAtOnce;
      some.assign(std::make_move_iterator(to_flush_.begin()), std::make_move_iterator(end));
      to_flush_.erase(to_flush_.begin(), end);
    }
  }
  Flush(std::move(some));
}

void Machine::Flush(Connections connections) {
  // What one of them cannot do costs the others nothing.
  std::exception_ptr failed;
  for (std::shared_ptr<Connection>& one : connections) {
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
