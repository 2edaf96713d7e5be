// SPDX-License-Identifier: Apache-2.0
#include "apps/server/testing/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "fmt/format.h"

namespace tenon::apps::server::testing {

RawClient::RawClient(uint16_t port, int receive_buffer)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) {
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Close();
}

RawClient::~RawClient() { Close(); }

void RawClient::Close() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void RawClient::CloseSending() { shutdown(socket_, SHUT_WR); }

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawClient::ReadSome(std::string* out, std::chrono::milliseconds time) {
  pollfd waiting{socket_, POLLIN, 0};
  if (poll(&waiting, 1, static_cast<int>(time.count())) <= 0) return false;
  char buffer[65536];
  const ssize_t got = recv(socket_, buffer, sizeof(buffer), 0);
  if (got <= 0) {
    closed_ = true;
    return false;
  }
  out->append(buffer, static_cast<size_t>(got));
  return true;
}

std::string RawClient::ReadAll(std::chrono::milliseconds time) {
  std::string out;
  while (ReadSome(&out, time)) {
  }
  return out;
}

void RawClient::Discard() {
  char buffer[65536];
  while (recv(socket_, buffer, sizeof(buffer), 0) > 0) {
  }
  closed_ = true;
}

std::string RawClient::ReadUntil(std::string_view mark, std::chrono::milliseconds time) {
  std::string out;
  while (out.find(mark) == std::string::npos && ReadSome(&out, time)) {
  }
  return out;
}

std::string RawClient::ReadResponse() {
  std::string out = ReadUntil("\r\n\r\n");
  const size_t length = out.find("Content-Length: ");
  const size_t head = out.find("\r\n\r\n");
  if (length == std::string::npos || head == std::string::npos) return out;
  const size_t whole = head + 4 + std::strtoull(out.c_str() + length + 16, nullptr, 10);
  while (out.size() < whole && ReadSome(&out, kPatience)) {
  }
  return out;
}

std::string Get(std::string_view path, std::string_view fields) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", path, fields);
}

std::string Post(std::string_view path, std::string_view body, std::string_view fields) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}", path,
                     body.size(), fields, body);
}

std::string Frame(std::string_view text, char first) {
  std::string out(1, first);
  if (text.size() < 126) {
    out.push_back(static_cast<char>(0x80 | text.size()));
  } else {
    out.push_back('\xfe');
    out.push_back(static_cast<char>(text.size() >> 8));
    out.push_back(static_cast<char>(text.size()));
  }
  return out.append(4, '\0').append(text);
}

int StatusOf(std::string_view response) {
  return response.starts_with("HTTP/1.1 ") ? std::atoi(response.data() + 9) : 0;
}

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace tenon::apps::server::testing
