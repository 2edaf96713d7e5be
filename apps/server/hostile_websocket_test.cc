// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

using testing::Count;
using testing::Eventually;
using testing::Frame;
using testing::Get;
using testing::RawClient;
using testing::ServerFixture;
using testing::StatusOf;

// What a client may send behind the handshake that is no message (RFC 6455), with random parts, and
// behind it a message and a request of HTTP that must never be heard.
class MalformedFrames {
 public:
  explicit MalformedFrames(unsigned seed) : random_(seed) {}

  std::string Next() {
    return Pings() + Bad() + Frame("{}") + Get("/health", "X-Request-Id: smuggled\r\n");
  }

 private:
  size_t Below(size_t end) { return random_() % end; }
  char Byte() { return static_cast<char>(Below(256)); }
  char Opcode(std::string_view opcodes) { return opcodes[Below(opcodes.size())]; }

  std::string Bytes(size_t most) {
    std::string out;
    for (size_t i = Below(most); i > 0; --i) out.push_back(Byte());
    return out;
  }

  // Harmless frames before.
  std::string Pings() {
    std::string out;
    for (size_t i = Below(3); i > 0; --i) out += Frame("still there?", '\x89');
    return out;
  }

  // A header with a length of its own, which need not be that of what follows.
  static std::string Long(char first, int bytes, uint64_t length) {
    std::string out = {first, static_cast<char>(0x80 | (bytes == 2 ? 126 : 127))};
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(length >> (8 * i)));
    return out + std::string(4, '\0');
  }

  std::string Bad() {
    switch (Below(12)) {
      case 0:  // not masked
        return std::string("\x81") + static_cast<char>(Below(126)) + Bytes(100);
      case 1:  // a reserved bit
        return Frame("{}", static_cast<char>(0x81 | (0x10 << Below(3))));
      case 2:  // a reserved opcode
        return Frame(Bytes(100), static_cast<char>(0x80 | Opcode("\x03\x04\x07\x0b\x0e\x0f")));
      case 3:  // a control frame in parts
        return Frame("x", Opcode("\x08\x09\x0a"));
      case 4:  // a control frame that is too long
        return Frame(std::string(126 + Below(1000), 'a'), Opcode("\x88\x89\x8a"));
      case 5:  // the rest of a message that never began
        return Frame("{}", '\x80');
      case 6:  // a message within another
        return Frame("{\"a\":", '\x01') + Frame("{}");
      case 7:  // a length that needs fewer bytes
        return Below(2) == 0 ? Long('\x81', 2, Below(126)) : Long('\x81', 8, Below(65536));
      case 8:  // a length beyond all bounds
        return Long('\x81', 8, (uint64_t{1} << (32 + Below(32))) + Below(9));
      case 9:  // no UTF-8
        return Frame("{\"a\":\"" + std::string(Below(50), 'x') + Pick() + "\"}");
      case 10:  // a closing of one byte
        return Frame(std::string(1, Byte()), '\x88');
      default: {  // a closing with a number that none may send
        static constexpr uint16_t kCodes[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 65535};
        const uint16_t code = kCodes[Below(std::size(kCodes))];
        return Frame(std::string{static_cast<char>(code >> 8), static_cast<char>(code)}, '\x88');
      }
    }
  }

  std::string Pick() {
    static const std::string kBad[] = {"\xff",     "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xe2\x82", "\x80"};
    return kBad[Below(std::size(kBad))];
  }

  std::mt19937 random_;
};

TEST(HostileWebSocket, MalformedFramesEndTheExchange) {
  ServerFixture server;
  for (unsigned seed = 0; seed < 600; ++seed) {
    const std::string bytes = MalformedFrames(seed).Next();
    RawClient client(server.port());
    client.Send(Get("/v1/ws", testing::kUpgrade));
    ASSERT_EQ(StatusOf(client.ReadUntil("\r\n\r\n")), 101);
    // Some arrive in two parts.
    const size_t part = seed % 3 == 0 ? bytes.size() / 2 : bytes.size();
    client.Send(bytes.substr(0, part));
    client.Send(bytes.substr(part));
    const std::string answer = client.ReadAll();
    EXPECT_TRUE(client.closed()) << seed;
    EXPECT_EQ(Count(answer, "HTTP/1.1"), 0U) << seed << answer;
  }
  EXPECT_TRUE(server.api.Calls().empty());
  RawClient after(server.port());
  after.Send(Get("/health"));
  EXPECT_EQ(StatusOf(after.ReadResponse()), 200);
}

// Where a message is cut off, nothing is asked and the place is free again.
TEST(HostileWebSocket, FramesThatEndTooEarlyAskNothing) {
  ServerFixture server([](ServerOptions& options) { options.connections = 4; });
  const std::string frame = Frame(std::string(200, ' '));
  for (size_t length = 0; length < frame.size(); ++length) {
    RawClient client(server.port());
    client.Send(Get("/v1/ws", testing::kUpgrade));
    ASSERT_EQ(StatusOf(client.ReadUntil("\r\n\r\n")), 101) << length;
    client.Send(frame.substr(0, length));
    client.CloseSending();
    client.ReadAll();
    EXPECT_TRUE(client.closed()) << length;
  }
  EXPECT_TRUE(server.api.Calls().empty());
}

// Handshakes that are wrong in some way, with a second request behind, are answered once.
TEST(HostileWebSocket, MalformedHandshakesGetOneError) {
  ServerFixture server;
  std::mt19937 random(3);
  const std::string good[] = {"Connection: Upgrade\r\n", "Upgrade: websocket\r\n",
                              "Sec-WebSocket-Version: 13\r\n",
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"};
  const std::vector<std::string> bad[] = {
      {"", "Connection: close\r\n", "Connection: Upgradex\r\n", "Connection: \r\n"},
      {"", "Upgrade: h2c\r\n", "Upgrade: websocke\r\n", "Upgrade:\r\n"},
      {"", "Sec-WebSocket-Version: 12\r\n", "Sec-WebSocket-Version: 013\r\n",
       "Sec-WebSocket-Version: 13, 13\r\n"},
      {""}};
  for (int i = 0; i < 100; ++i) {
    const size_t wrong = random() % std::size(good);
    std::string fields;
    for (size_t at = 0; at < std::size(good); ++at) {
      fields += at == wrong ? bad[at][random() % bad[at].size()] : good[at];
    }
    RawClient client(server.port());
    client.Send(Get("/v1/ws", fields));
    const std::string answer = client.ReadResponse();
    EXPECT_EQ(StatusOf(answer) / 100, 4) << fields << answer;
    EXPECT_EQ(Count(answer, "HTTP/1.1 "), 1U) << fields;
  }
  EXPECT_TRUE(server.api.Calls().empty());
}

}  // namespace
}  // namespace tenon::apps::server
