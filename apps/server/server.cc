// SPDX-License-Identifier: Apache-2.0
#include "apps/server/server.h"

#include <atomic>
#include <thread>
#include <typeinfo>
#include <vector>

#include "apps/server/connection.h"
#include "apps/server/handlers.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/strand.hpp"
#include "boost/asio/thread_pool.hpp"
#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// How long a stop waits for connections to be told.
constexpr auto kStopTime = std::chrono::seconds(2);
// Between two looks at jobs and engines.
constexpr auto kLookTime = std::chrono::milliseconds(100);
// Before accepting again where the system has no more file descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

class HttpServer : public Server, public Front {
 public:
  HttpServer(const ServerOptions& options, const ServerParts& parts);
  ~HttpServer() override { Stop(); }

  Result<void> Listen();
  std::string Url() const override;
  uint16_t Port() const override { return port_; }
  uint16_t AdminPort() const override { return admin_port_; }
  void Drain() override { draining_ = true; }
  bool Drained() const override { return draining_ && exchanges_ == 0 && !handlers_.jobs().Busy(); }
  void Stop() override;

  const ConnectionLimits& Limits() const override { return options_.limits; }
  Verdict Judge(const RequestHead& head, const Peer& peer) const override {
    return gate_.Judge(head, peer);
  }
  void OnBegin() override { ++exchanges_; }
  void OnAnswered(const Answered& answered) override;
  void Handle(const Route& route, const std::shared_ptr<Exchange>& exchange) override;

 private:
  struct Door {
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    bool admin;
  };

  Result<uint16_t> Open(const asio::ip::address& address, uint16_t port, bool admin);
  void Accept(Door& door);
  void RunMachine();
  void Look();
  void Guarded(const std::shared_ptr<Exchange>& exchange, const std::function<void()>& job);
  template <typename Threads>
  HandlerParts::Run RunIn(Threads& threads) {
    return [this, &threads](const std::shared_ptr<Exchange>& exchange, std::function<void()> job) {
      asio::post(threads, [this, exchange, job = std::move(job)] { Guarded(exchange, job); });
    };
  }

  const ServerOptions options_;
  const ServerParts parts_;
  const std::shared_ptr<Machine> machine_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  asio::steady_timer look_;
  asio::thread_pool pool_;
  asio::strand<asio::thread_pool::executor_type> side_{pool_.get_executor()};
  asio::thread_pool slow_pool_{1};
  Crowd crowd_;
  Handlers handlers_;
  Gate gate_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::vector<std::thread> threads_;
  std::string host_;
  uint16_t port_ = 0;
  uint16_t admin_port_ = 0;
  std::atomic<int64_t> exchanges_ = 0;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> stopping_ = false;
  bool stopped_ = false;
};

HttpServer::HttpServer(const ServerOptions& options, const ServerParts& parts)
    : options_(options),
      parts_(parts),
      machine_(std::make_shared<Machine>(options.io_threads)),
      guard_(machine_->context().get_executor()),
      look_(machine_->context()),
      pool_(static_cast<size_t>(options.work_threads)),
      crowd_(options.connections, options.all_body_bytes),
      handlers_({parts.api, parts.fleet, parts.metrics, parts.log, options.most_waiting,
                 options.log_prompts, RunIn(pool_), RunIn(side_), RunIn(slow_pool_),
                 [this] { return draining_.load(); }},
                options.jobs),
      gate_(Handlers::Routes(), *parts.keys, options.admin_port.has_value(),
            options.limits.body_bytes) {}

Result<void> HttpServer::Listen() {
  error_code error;
  const auto address =
      asio::ip::make_address(options_.host == "localhost" ? "127.0.0.1" : options_.host, error);
  if (error) {
    return Error{Status::kInvalid,
                 fmt::format("--host is \"{}\"; an IP address or localhost is wanted, such as "
                             "127.0.0.1 or 0.0.0.0",
                             options_.host)};
  }
  if (!address.is_loopback() && parts_.keys->empty() && !options_.insecure) {
    return Error{Status::kInvalid,
                 fmt::format("--host {} lets other machines in, and there is no API key: give "
                             "--api-key-file, or --insecure to let everyone in",
                             options_.host)};
  }
  auto port = Open(address, options_.port, false);
  if (!port.ok()) return port.error();
  port_ = *port;
  host_ = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  if (options_.admin_port) {
    port = Open(asio::ip::address_v4::loopback(), *options_.admin_port, true);
    if (!port.ok()) return port.error();
    admin_port_ = *port;
  }
  for (int i = 0; i < options_.io_threads; ++i) threads_.emplace_back([this] { RunMachine(); });
  for (auto& door : doors_) Accept(*door);
  Look();
  return {};
}

Result<uint16_t> HttpServer::Open(const asio::ip::address& address, uint16_t port, bool admin) {
  auto door = std::make_unique<Door>(
      Door{tcp::acceptor(machine_->context()), asio::steady_timer(machine_->context()), admin});
  const tcp::endpoint endpoint(address, port);
  error_code error;
  door->acceptor.open(endpoint.protocol(), error);
  if (!error) door->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) door->acceptor.bind(endpoint, error);
  if (!error) door->acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) {
    return Error{Status::kIo, fmt::format("cannot listen on {} port {}: {}", address.to_string(),
                                          port, error.message())};
  }
  const uint16_t bound = door->acceptor.local_endpoint(error).port();
  doors_.push_back(std::move(door));
  return bound;
}

void HttpServer::Accept(Door& door) {
  door.acceptor.async_accept(
      asio::make_strand(machine_->context()), [this, &door](error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || !door.acceptor.is_open()) return;
        if (!error) {
          auto connection =
              std::make_shared<Connection>(machine_, std::move(socket), door.admin, *this, crowd_);
          asio::post(connection->executor(), [connection] { connection->Start(); });
          return Accept(door);
        }
        door.pause.expires_after(kAcceptPause);
        door.pause.async_wait([this, &door](error_code stopped) {
          if (!stopped) Accept(door);
        });
      });
}

// What has to be done several times a second.
void HttpServer::Look() {
  look_.expires_after(kLookTime);
  look_.async_wait([this](error_code stopped) {
    if (stopped) return;
    handlers_.jobs().Tick();
    asio::post(pool_, [this] {
      try {
        parts_.metrics->Look(*parts_.fleet);
        if (parts_.trace != nullptr) parts_.trace->Look(*parts_.fleet);
      } catch (const std::exception& error) {
        parts_.log->Warn("exception", {{"where", "look"}, {"type", typeid(error).name()}});
      }
      if (!stopping_) Look();
    });
  });
}

void HttpServer::RunMachine() {
  while (true) {
    try {
      machine_->context().run();
      return;
    } catch (const std::exception& error) {
      parts_.log->Warn("exception", {{"where", "io"}, {"type", typeid(error).name()}});
    }
  }
}

void HttpServer::Guarded(const std::shared_ptr<Exchange>& exchange,
                         const std::function<void()>& job) {
  try {
    job();
  } catch (const std::exception& error) {
    // Its text may hold the request's.
    parts_.log->Warn("exception", {{"id", exchange->request().id}, {"type", typeid(error).name()}});
    exchange->Reply(ErrorResponse(MakeError(500, "internal error", "internal_error")));
  }
}

void HttpServer::Handle(const Route& route, const std::shared_ptr<Exchange>& exchange) {
  if (draining_ && route.is_work) {
    openai::ApiError error = MakeError(503, "the server is shutting down", "shutting_down");
    error.retry_after_s = 1;
    return exchange->Reply(ErrorResponse(error));
  }
  Guarded(exchange, [&] { (handlers_.*route.handle)(exchange); });
}

void HttpServer::OnAnswered(const Answered& answered) {
  parts_.metrics->OnAnswered(answered);
  parts_.log->Info("http", {{"id", answered.id},
                            {"method", answered.method},
                            {"route", answered.route},
                            {"status", answered.status},
                            {"bytes_in", answered.bytes_in},
                            {"bytes_out", answered.bytes_out},
                            {"ms", answered.seconds},
                            {"cut", answered.cut ? 1 : 0}});
  --exchanges_;
}

std::string HttpServer::Url() const { return fmt::format("http://{}:{}", host_, port_); }

void HttpServer::Stop() {
  if (std::exchange(stopped_, true)) return;
  draining_ = true;
  stopping_ = true;
  asio::post(machine_->context(), [this] { look_.cancel(); });
  for (auto& door : doors_) {
    asio::post(machine_->context(), [&door] {
      error_code error;
      door->acceptor.close(error);
      door->pause.cancel();
    });
  }
  const auto until = std::chrono::steady_clock::now() + kStopTime;
  do {
    crowd_.EvictAll();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  } while (crowd_.size() > 0 && std::chrono::steady_clock::now() < until);
  pool_.join();
  slow_pool_.join();
  guard_.reset();
  machine_->context().stop();
  for (std::thread& thread : threads_) thread.join();
  // What is left over ends here, where everything still lives.
  machine_->context().restart();
  machine_->context().poll();
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                              const ServerParts& parts) {
  auto server = std::make_unique<HttpServer>(options, parts);
  if (auto listening = server->Listen(); !listening.ok()) return listening.error();
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tenon::apps::server
