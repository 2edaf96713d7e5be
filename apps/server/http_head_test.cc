// SPDX-License-Identifier: Apache-2.0
#include "apps/server/http_head.h"

#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

RequestHead Good(const std::string& text) {
  RequestHead head;
  EXPECT_EQ(ScanHead(text, 8192).bytes, text.size());
  const auto error = ParseHead(text, &head);
  EXPECT_FALSE(error) << error->why;
  return head;
}

int StatusOfBad(const std::string& text) {
  const HeadScan scan = ScanHead(text, 8192);
  if (scan.error) return scan.error->status;
  RequestHead head;
  const auto error = ParseHead(text.substr(0, scan.bytes), &head);
  return error ? error->status : 0;
}

TEST(HttpHead, ReadsWhatARequestSays) {
  const RequestHead head = Good(
      "POST /v1/jobs/a%20b?wait=30 HTTP/1.1\r\nHost: localhost:8000\r\nX-Request-ID:  a b \r\n"
      "Content-Length: 12\r\nConnection: Keep-Alive, Upgrade\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/v1/jobs/a%20b");
  EXPECT_EQ(QueryValue(head.query, "wait"), "30");
  EXPECT_EQ(*head.Find("x-request-id"), "a b");
  EXPECT_EQ(head.body_bytes, 12U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_TRUE(head.upgrades);
  EXPECT_TRUE(head.expects_continue);
}

TEST(HttpHead, KeepsHttp10ConnectionsOnlyWhenAsked) {
  EXPECT_FALSE(Good("GET / HTTP/1.0\r\nHost: a\r\n\r\n").keep_alive);
  EXPECT_TRUE(Good("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(Good("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
}

TEST(HttpHead, RefusesWhatTwoReadersCouldFrameDifferently) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const char* fields : {
           "Transfer-Encoding: Chunked\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding: \"chunked\"\r\n",
           "Transfer-Encoding:\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
           "Content-Length: 4\r\nContent-Length: 4\r\n",
           "Content-Length: 4, 4\r\n",
           "Content-Length: +4\r\n",
           "Content-Length: -4\r\n",
           "Content-Length: 0x4\r\n",
           "Content-Length: 4 4\r\n",
           "Content-Length:\r\n",
           "Content-Length: 99999999999999999999\r\n",
           "Content-Length : 4\r\n",
           "Host: b\r\n",
           "Folded: a\r\n b\r\n",
           "No colon\r\n",
           ": no name\r\n",
           "Bad\x01Name: a\r\n",
           "Value: a\x7f\r\n",
           "Value: a\rb\r\n",
           "Value: a\nb: c\r\n",
           "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
       }) {
    EXPECT_EQ(StatusOfBad(head + fields + "\r\n"), 400) << fields;
  }
  EXPECT_EQ(StatusOfBad("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n"), 417);
  EXPECT_EQ(StatusOfBad(std::string("GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 36)), 400);
}

TEST(HttpHead, RefusesRequestLinesThatAreNone) {
  const std::string rest = "\r\nHost: a\r\n\r\n";
  for (const char* line :
       {"GET http://a/ HTTP/1.1", "GET a HTTP/1.1", "CONNECT a:80 HTTP/1.1", "OPTIONS * HTTP/1.1",
        "GET / HTTP/1.2", "GET / HTTP/2.0", "GET / http/1.1", "GET /", "GET", "GET  / HTTP/1.1",
        " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET /a b HTTP/1.1", "G(T / HTTP/1.1",
        "GET\t/ HTTP/1.1", "GET /\xff HTTP/1.1", "GET /#a HTTP/1.1",
        "AVERYLONGMETHODNAME / HTTP/1.1"}) {
    EXPECT_EQ(StatusOfBad(line + rest), 400) << line;
  }
  EXPECT_EQ(StatusOfBad("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(StatusOfBad("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(HttpHead, WantsAHost) {
  EXPECT_EQ(StatusOfBad("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOfBad("GET / HTTP/1.0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOfBad("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400);
  EXPECT_EQ(StatusOfBad("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
  EXPECT_EQ(StatusOfBad("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
  EXPECT_EQ(StatusOfBad("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 0 + 400);
  Good("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n");
}

TEST(HttpHead, FindsTheEndAndTroubleAsBytesArrive) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t i = 0; i < text.size(); ++i) {
    const HeadScan scan = ScanHead(text.substr(0, i), 8192);
    EXPECT_EQ(scan.bytes, 0U);
    EXPECT_FALSE(scan.error);
  }
  EXPECT_EQ(ScanHead(text + "GET /next", 8192).bytes, text.size());
  EXPECT_TRUE(ScanHead("GET / HTTP/1.1\n", 8192).error);
  EXPECT_TRUE(ScanHead("\x16\x03\x01", 8192).error);
  EXPECT_EQ(ScanHead("GET /" + std::string(9000, 'a'), 8192).error->status, 431);
}

TEST(HttpHead, DecodesPercents) {
  EXPECT_EQ(DecodePercent("a%2Fb%20"), "a/b ");
  EXPECT_FALSE(DecodePercent("%2"));
  EXPECT_FALSE(DecodePercent("%zz"));
  EXPECT_FALSE(DecodePercent("%00"));
}

}  // namespace
}  // namespace tenon::apps::server
