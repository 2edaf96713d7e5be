// SPDX-License-Identifier: Apache-2.0
#include "apps/server/websocket.h"

#include <deque>
#include <mutex>

#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core/buffers_to_string.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/empty_body.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/websocket/stream.hpp"

namespace tenon::apps::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// A client that answers no ping for so long is gone.
constexpr auto kSilence = std::chrono::seconds(60);

class Session : public Exchange, public Member, public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<asio::io_context> machine, asio::ip::tcp::socket socket, Request request,
          const Route& route, Front& front, Crowd& crowd)
      : machine_(std::move(machine)),
        socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        request_(std::move(request)),
        route_(route),
        front_(front),
        crowd_(crowd) {}
  ~Session() override { crowd_.Leave(*this); }

  void Start(std::string_view head);

  Request& request() override { return request_; }
  void Reply(Response response) override;
  void Begin() override {}
  void Send(std::string_view data) override;
  void Finish() override;
  void ExpectStream() override {}
  void OnGone(std::function<void()> gone) override;
  void Evict(bool working_too) override;

 private:
  void Read();
  void OnMessage();
  void Write();
  void OnWritten();
  void Close();
  void LoseClient();
  void End(bool cut);
  void Within(ConnectionLimits::Time time);
  void Post(void (Session::*what)());

  const std::shared_ptr<asio::io_context> machine_;  // first: the socket needs it
  websocket::stream<asio::ip::tcp::socket> socket_;
  asio::steady_timer timer_;
  beast::http::request_parser<beast::http::empty_body> handshake_;
  beast::flat_buffer in_;
  Request request_;
  const Route& route_;
  Front& front_;
  Crowd& crowd_;
  const Clock::time_point start_ = Clock::now();
  bool asked_ = false;
  bool writing_ = false;
  bool over_ = false;
  uint64_t bytes_in_ = 0;
  std::string frame_;  // being written

  std::mutex mutex_;
  std::deque<std::string> waiting_;  // frames
  size_t waiting_bytes_ = 0;
  uint64_t bytes_out_ = 0;
  bool finished_ = false;
  bool gone_ = false;
  std::function<void()> on_gone_;
};

void Session::Start(std::string_view head) {
  if (!crowd_.Join(*this)) return End(true);
  error_code error;
  handshake_.put(asio::buffer(head.data(), head.size()), error);
  if (error) return End(true);
  websocket::stream_base::timeout times{};
  times.handshake_timeout = front_.Limits().head;
  times.idle_timeout = kSilence;
  times.keep_alive_pings = true;
  socket_.set_option(times);
  socket_.control_callback([this](websocket::frame_type kind, beast::string_view) {
    if (kind == websocket::frame_type::close) LoseClient();
  });
  socket_.read_message_max(front_.Limits().body_bytes);
  Within(front_.Limits().body);
  socket_.async_accept(handshake_.get(), [self = shared_from_this()](error_code failed) {
    if (failed) return self->End(true);
    self->Read();
  });
}

// The one deadline: for the message, then for each write.
void Session::Within(ConnectionLimits::Time time) {
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this()](error_code stopped) {
    if (!stopped) self->End(true);
  });
}

void Session::Read() {
  socket_.async_read(in_, [self = shared_from_this()](error_code error, size_t) {
    if (error) return self->End(true);
    self->OnMessage();
  });
}

void Session::OnMessage() {
  if (over_) return;
  // One request a connection: what comes behind it cannot be meant.
  if (asked_) return End(true);
  asked_ = true;
  timer_.cancel();
  front_.OnBegin();
  crowd_.Works(*this);
  request_.body = beast::buffers_to_string(in_.data());
  bytes_in_ = request_.body.size();
  in_ = {};
  Read();
  front_.Handle(route_, shared_from_this());
}

void Session::Post(void (Session::*what)()) {
  asio::post(timer_.get_executor(), [self = shared_from_this(), what] { ((*self).*what)(); });
}

void Session::Send(std::string_view data) {
  bool too_much = false;
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || gone_) return;
    waiting_.emplace_back(data);
    waiting_bytes_ += data.size();
    bytes_out_ += data.size();
    too_much = waiting_bytes_ > front_.Limits().unread_bytes;
    if (!too_much && waiting_.size() > 1) return;
  }
  Post(too_much ? &Session::Close : &Session::Write);
}

void Session::Reply(Response response) {
  Send(response.body);
  Finish();
}

void Session::Finish() {
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || gone_) return;
    finished_ = true;
  }
  Post(&Session::Write);
}

void Session::OnGone(std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    if (!gone_) {
      on_gone_ = std::move(gone);
      return;
    }
  }
  gone();
}

void Session::Evict(bool working_too) {
  auto self = weak_from_this().lock();
  if (!self) return;
  asio::post(timer_.get_executor(), [self = std::move(self), working_too] {
    if (working_too || !self->asked_) self->End(true);
  });
}

void Session::Write() {
  if (writing_ || over_) return;
  bool closes = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() && !finished_) return;
    writing_ = true;
    closes = waiting_.empty();
    if (!closes) {
      frame_ = std::move(waiting_.front());
      waiting_.pop_front();
      waiting_bytes_ -= frame_.size();
    }
  }
  Within(closes ? front_.Limits().linger : front_.Limits().stall);
  if (closes) {
    return socket_.async_close(websocket::close_code::normal,
                               [self = shared_from_this()](error_code) { self->End(false); });
  }
  socket_.text(true);
  socket_.async_write(asio::buffer(frame_), [self = shared_from_this()](error_code error, size_t) {
    if (error) return self->End(true);
    self->OnWritten();
  });
}

void Session::OnWritten() {
  writing_ = false;
  timer_.cancel();
  Write();
}

void Session::Close() { End(true); }

// The client closes: its work ends at once, however long the rest of the closing takes.
void Session::LoseClient() {
  std::function<void()> gone;
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || gone_) return;
    gone_ = true;
    std::swap(gone, on_gone_);
    waiting_.clear();
  }
  if (gone) gone();
  Within(front_.Limits().linger);
}

void Session::End(bool cut) {
  if (std::exchange(over_, true)) return;
  LoseClient();
  timer_.cancel();
  error_code error;
  beast::get_lowest_layer(socket_).close(error);
  crowd_.Leave(*this);
  std::function<void()> forgotten;
  Answered answered{request_.id, route_.path, route_.method, 101, bytes_in_};
  {
    const std::lock_guard lock(mutex_);
    std::swap(forgotten, on_gone_);
    answered.bytes_out = bytes_out_;
    answered.cut = cut && !finished_;
  }
  if (!asked_) return;
  answered.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  front_.OnAnswered(answered);
}

}  // namespace

bool IsWebSocketRequest(const RequestHead& head) {
  const std::string* upgrade = head.Find("upgrade");
  const std::string* version = head.Find("sec-websocket-version");
  return head.upgrades && !head.http_1_0 && upgrade != nullptr && HasWord(*upgrade, "websocket") &&
         head.Find("sec-websocket-key") != nullptr && version != nullptr && *version == "13";
}

void StartWebSocket(std::shared_ptr<asio::io_context> machine, asio::ip::tcp::socket socket,
                    std::string_view head, Request request, const Route& route, Front& front,
                    Crowd& crowd) {
  std::make_shared<Session>(std::move(machine), std::move(socket), std::move(request), route, front,
                            crowd)
      ->Start(head);
}

}  // namespace tenon::apps::server
