// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "apps/engine/digest.h"
#include "apps/server/handlers.h"
#include "apps/server/page.h"
#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

using testing::Get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Post;
using testing::RawClient;
using testing::ServerFixture;
using testing::StatusOf;

constexpr const char* kKeys = "# two\nkey-canary-one\n\nkey-canary-two\r\n";

std::string RequestOf(const Route& route, const std::string& fields) {
  std::string path(route.path.substr(0, route.path.find('{')));
  if (path != route.path) path += "x";
  return fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", route.method, path, fields);
}

int Ask(uint16_t port, const std::string& request) {
  RawClient client(port);
  client.Send(request);
  return StatusOf(client.ReadResponse());
}

TEST(Access, WantsAKeyOnEveryRouteButHealthAndReady) {
  ServerFixture server({}, kKeys);
  size_t open = 0;
  for (const Route& route : Handlers::Routes()) {
    const bool is_open = route.path == "/health" || route.path == "/ready";
    open += is_open ? 1 : 0;
    for (const char* fields :
         {"", "Authorization: Bearer wrong\r\n", "Authorization: Bearer \r\n",
          "Authorization: Bearer key-canary-on\r\n", "Authorization: Bearer key-canary-onee\r\n",
          "Authorization: key-canary-one\r\n", "Authorization: Digest key-canary-one\r\n",
          "Authorization: Basic ====\r\n", "X-Api-Key: key-canary-one\r\n"}) {
      EXPECT_EQ(Ask(server.port(), RequestOf(route, fields)), is_open ? 200 : 401)
          << route.method << " " << route.path << " " << fields;
    }
    const std::string key = "Authorization: Bearer key-canary-two\r\n";
    EXPECT_NE(Ask(server.port(), RequestOf(route, key)), 401) << route.path;
  }
  EXPECT_EQ(open, 2U);
  EXPECT_EQ(Ask(server.port(), Get("/nowhere")), 401);
}

TEST(Access, WantsAKeyOfEveryMethodAndOnTheAdminPort) {
  ServerFixture server([](ServerOptions& options) { options.admin_port = 0; }, kKeys);
  for (const uint16_t port : {server.port(), server.server->AdminPort()}) {
    for (const Route& route : Handlers::Routes()) {
      if (!route.needs_key) continue;
      for (const std::string_view method :
           {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
        Route other = route;
        other.method = method;
        RawClient client(port);
        client.Send(RequestOf(other, ""));
        EXPECT_EQ(StatusOf(client.ReadUntil("\r\n\r\n")), 401) << method << " " << route.path;
      }
    }
  }
}

TEST(Access, OpensNothingThatOnlyLooksLikeHealth) {
  ServerFixture server({}, kKeys);
  for (const char* path : {"/health/", "//health", "/Health", "/health/x", "/health/../v1/models",
                           "/./health", "/health%2f..%2fv1%2fmodels", "/%68ealth", "/health;x",
                           "/healthz", "/ready/", "/ready/x"}) {
    EXPECT_EQ(Ask(server.port(), Get(path)), 401) << path;
  }
  EXPECT_EQ(Ask(server.port(), Get("/health?x=/v1/models")), 200);
  RawClient socket(server.port());
  socket.Send(Get("/v1/ws", testing::kUpgrade));
  EXPECT_EQ(StatusOf(socket.ReadResponse()), 401);
}

TEST(Access, TakesABrowsersKey) {
  ServerFixture server({}, kKeys);
  const std::string basic = "Authorization: Basic " + Base64("me:key-canary-one") + "\r\n";
  EXPECT_EQ(Ask(server.port(), Get("/version", basic)), 200);
  // What a browser adds by itself must not serve other pages.
  EXPECT_EQ(Ask(server.port(), Post("/tokenize", "{}", basic + "Origin: http://evil\r\n")), 403);
  EXPECT_EQ(Ask(server.port(), Post("/tokenize", "{}", basic + "Origin: http://localhost\r\n")),
            200);
}

TEST(Access, KeepsForeignPagesOut) {
  ServerFixture server;
  const std::string foreign = "Origin: http://evil.example\r\n";
  EXPECT_EQ(Ask(server.port(), Post("/tokenize", "{}", foreign)), 403);
  EXPECT_EQ(Ask(server.port(), Post("/admin/reload", "", foreign)), 403);
  EXPECT_EQ(Ask(server.port(), Post("/tokenize", "{}", "Origin: null\r\n")), 403);
  EXPECT_EQ(Ask(server.port(), Post("/admin/reload", "", "X-Forwarded-For: 1.2.3.4\r\n")), 403);
  EXPECT_EQ(Ask(server.port(), Post("/admin/reload", "")), 200);
}

TEST(Access, GivesATenantPerKeyThatSurvivesARestart) {
  const ApiKeys first = ApiKeys::Parse(kKeys).value();
  const ApiKeys second = ApiKeys::Parse(kKeys).value();
  RequestHead one;
  one.fields = {{"authorization", "Bearer key-canary-one"}};
  RequestHead two;
  two.fields = {{"authorization", "bearer key-canary-two"}};
  ASSERT_TRUE(first.Tenant(one).has_value());
  EXPECT_EQ(first.Tenant(one), second.Tenant(one));
  EXPECT_NE(first.Tenant(one), first.Tenant(two));
  EXPECT_THAT(*first.Tenant(one), Not(HasSubstr("canary")));
}

TEST(Access, RefusesKeysThatAreNone) {
  for (const std::string text : {"", "# only\n", "a b\n", "k\xc3\xa9y\n"}) {
    const auto keys = ApiKeys::Parse(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_THAT(keys.error().message, Not(HasSubstr("a b")));
  }
  EXPECT_FALSE(ApiKeys::Parse(std::string(513, 'a')).ok());
}

TEST(Access, MovesAdminAndMetricsToTheirOwnPort) {
  ServerFixture server([](ServerOptions& options) { options.admin_port = 0; });
  const uint16_t admin = server.server->AdminPort();
  EXPECT_EQ(Ask(server.port(), Get("/metrics")), 404);
  EXPECT_EQ(Ask(server.port(), Post("/admin/reload", "")), 404);
  EXPECT_EQ(Ask(admin, Get("/metrics")), 200);
  EXPECT_EQ(Ask(admin, Post("/admin/reload", "")), 200);
  EXPECT_EQ(Ask(admin, Get("/health")), 200);
  EXPECT_EQ(Ask(admin, Get("/v1/models")), 404);
}

TEST(Access, ReportsAReloadThatFails) {
  ServerFixture server;
  server.fleet.on_reload = [](const std::string&) -> Result<void> {
    return Error{Status::kInvalid, "p.yaml:3: unknown option"};
  };
  RawClient client(server.port());
  client.Send(Post("/admin/reload", ""));
  const std::string response = client.ReadResponse();
  EXPECT_EQ(StatusOf(response), 500);
  EXPECT_THAT(response, HasSubstr("p.yaml:3"));
}

TEST(Access, ShowsNoTextOrKeyInLogsMetricsAndErrors) {
  ServerFixture server({}, kKeys);
  server.api.on_start = [](const auto& call) {
    call->sink->Chunk("\"canary out\"");
    call->sink->End();
  };
  const std::string key = "Authorization: Bearer key-canary-one\r\n";
  std::string seen;
  for (const std::string& request :
       {Post("/v1/chat/completions", R"({"messages":"canary in"})", key),
        Post("/v1/jobs", R"({"prompt":"canary in"})", key), Get("/canary-path?q=canary", key),
        Get("/v1/models/canary", key), Get("/v1/jobs/canary", key),
        Get("/version", "Authorization: Bearer canary\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: canary canary\r\n\r\n"), std::string("canary\n")}) {
    RawClient client(server.port());
    client.Send(request);
    const std::string response = client.ReadResponse();
    if (StatusOf(response) >= 400) seen += response;
  }
  RawClient client(server.port());
  client.Send(Get("/metrics", key));
  seen += client.ReadResponse();
  EXPECT_TRUE(
      testing::Eventually([&] { return testing::Count(server.LogText(), "event=http") >= 9; }));
  seen += server.LogText();
  EXPECT_THAT(seen, HasSubstr("event=http"));
  EXPECT_THAT(seen, HasSubstr("tenon:time_to_first_token_seconds"));
  EXPECT_THAT(seen, Not(HasSubstr("canary")));
}

TEST(Access, LogsTextsOnlyWhereAskedTo) {
  ServerFixture server([](ServerOptions& options) { options.log_prompts = true; });
  EXPECT_EQ(Ask(server.port(), Post("/tokenize", R"({"prompt":"said"})")), 200);
  EXPECT_TRUE(testing::Eventually(
      [&] { return testing::Count(server.LogText(), "said") == 2; }));  // asked and answered
}

TEST(Access, LetsThePageRunItsOwnScriptsOnly) {
  const std::string policy =
      PagePolicy("<style>a{}</style><script type=\"module\">alert(1)</script>");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("'sha256-" + Base64(Sha256Of("alert(1)")) + "'"));
  EXPECT_THAT(policy, HasSubstr("'sha256-" + Base64(Sha256Of("a{}")) + "'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

}  // namespace
}  // namespace tenon::apps::server
