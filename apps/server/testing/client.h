// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon::apps::server::testing {

// Far beyond any wait here, on a busy machine too.
inline constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(120);

// A client that sends the bytes it is told to, over a plain socket.
class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept : socket_(other.socket_) { other.socket_ = -1; }
  RawClient(const RawClient&) = delete;

  bool connected() const { return socket_ >= 0; }
  bool Send(std::string_view bytes);
  void CloseSending();
  void Close();

  // What arrives until the server closes, or `time` is over without news.
  std::string ReadAll(std::chrono::milliseconds time = kPatience);
  // What arrives until it holds `mark` (included, with what came along).
  std::string ReadUntil(std::string_view mark, std::chrono::milliseconds time = kPatience);
  // One response with Content-Length.
  std::string ReadResponse();
  void Discard();                          // whatever comes, to the end
  bool closed() const { return closed_; }  // by the server

 private:
  bool ReadSome(std::string* out, std::chrono::milliseconds time);

  int socket_;
  bool closed_ = false;
};

// A request's bytes.
std::string Get(std::string_view path, std::string_view fields = "");
std::string Post(std::string_view path, std::string_view body, std::string_view fields = "");

// Header fields that ask for a WebSocket.
inline constexpr const char* kUpgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

// A client's frame, of text unless `first` says other; its mask is zero.
std::string Frame(std::string_view text, char first = '\x81');

int StatusOf(std::string_view response);  // 0: none
size_t Count(std::string_view text, std::string_view part);

}  // namespace tenon::apps::server::testing
