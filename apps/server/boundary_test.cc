// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "apps/openai/testing/boundary_bodies.h"
#include "apps/openai/testing/fakes.h"
#include "apps/server/handlers.h"
#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

using nlohmann::json;
using openai::Endpoint;
using openai::testing::BoundaryBody;
using Random = text::testing::Random;
using testing::RawClient;
using testing::StatusOf;

// Answers at once, and keeps nothing of it.
class ForgetfulEngine : public openai::testing::ScriptedEngine {
 public:
  explicit ForgetfulEngine(bool generates) {
    answers_at_once = true;
    facts.generates = generates;
    facts.max_context = 512;
    facts.vocabulary = 261;
    facts.embedding_max_tokens = 512;
  }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override {
    const uint64_t number = ScriptedEngine::Generate(std::move(request), std::move(on_event));
    started.clear();
    return number;
  }
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override {
    ScriptedEngine::Embed(std::move(texts), std::move(done));
    embedded.clear();
  }
};

// One that generates, and one that embeds.
class TwoModels : public openai::ModelDirectory {
 public:
  std::vector<std::shared_ptr<const openai::ServedModel>> Models() const override {
    return {generates_.Models()[0], embeds_.Models()[0]};
  }
  Result<openai::NamedModel> Find(const std::string& name, const std::string& user) const override {
    auto found = generates_.Find(name, user);
    return found.ok() ? found : embeds_.Find(name, user);
  }

 private:
  const openai::testing::OneModel generates_{std::make_shared<ForgetfulEngine>(true)};
  const openai::testing::OneModel embeds_{std::make_shared<ForgetfulEngine>(false)};
};

struct NoObserver : openai::CallObserver {
  void OnFirstToken(const std::string&, double) override {}
  void OnTokens(const std::string&, int32_t, double) override {}
  void OnDone(const openai::CallRecord&) override {}
  void OnUnknownField(std::string_view) override {}
};

// The whole API behind the whole front end, with engines that are played.
struct Served {
  Served() : log("/dev/null") {
    ServerOptions options;
    options.port = 0;
    options.work_threads = 1;  // the engines have no locks
    server = Server::Start(options, {api.get(), &fleet, &keys, &log, &metrics}).value();
  }

  TwoModels models;
  NoObserver observer;
  std::unique_ptr<openai::Api> api = MakeApi(models, observer, {}, {});
  testing::FakeFleet fleet;
  ApiKeys keys;
  Log log;
  Metrics metrics{"tenon"};
  std::unique_ptr<Server> server;
};

// The next response, whether it says its length or comes in chunks.
std::string Read(RawClient& client) {
  std::string out = client.ReadResponse();
  if (out.find("Transfer-Encoding: chunked\r\n") == std::string::npos) return out;
  while (!out.ends_with("0\r\n\r\n")) {
    const std::string more = client.ReadUntil("\n");
    if (more.empty()) break;
    out += more;
  }
  return out;
}

json BodyOf(const std::string& response) {
  const size_t head = response.find("\r\n\r\n");
  if (head == std::string::npos) return {};
  return json::parse(response.substr(head + 4), nullptr, false);
}

// A refusal is the client's fault, and says of which field.
void ExpectNamesTheField(int status, const json& document, const BoundaryBody& body) {
  const std::string shown = body.text.substr(0, 300);
  ASSERT_TRUE(status == 400 || status == 404) << status << " " << document << " " << shown;
  const json& error = document["error"];
  ASSERT_TRUE(error["param"].is_string()) << document << " " << shown;
  const auto param = error["param"].get<std::string>();
  ASSERT_FALSE(param.empty()) << shown;
  // Where a job's or a socket's request cannot be read, neither can what it asks for.
  if (param == "body" && !json::accept(body.text)) return;
  if (body.field.empty() || error["code"] == "context_length_exceeded") return;
  EXPECT_EQ(param.substr(0, param.find('.')), body.field) << document << " " << shown;
}

void Ask(RawClient& client, const std::string& path, const BoundaryBody& body) {
  client.Send(testing::Post(path, body.text));
  const std::string response = Read(client);
  const int status = StatusOf(response);
  if (status == 202) {
    const auto id = BodyOf(response)["id"].get<std::string>();
    client.Send(testing::Get("/v1/jobs/" + id + "?wait=10"));
    const json job = BodyOf(Read(client));
    if (job["status"] == "completed") return;
    ASSERT_EQ(job["status"], "failed") << job;
    ExpectNamesTheField(job["status_code"].get<int>(), job["response"], body);
  } else if (status != 200) {
    ExpectNamesTheField(status, BodyOf(response), body);
  }
}

// Which requests a route takes.
const std::map<std::string_view, std::vector<Endpoint>> kTakes = {
    {"/v1/chat/completions", {Endpoint::kChat}},
    {"/v1/completions", {Endpoint::kCompletions}},
    {"/v1/embeddings", {Endpoint::kEmbeddings}},
    {"/tokenize", {Endpoint::kTokenize}},
    {"/detokenize", {Endpoint::kDetokenize}},
    {"/v1/jobs", {Endpoint::kChat, Endpoint::kCompletions, Endpoint::kEmbeddings}},
    {"/admin/reload", {Endpoint::kChat}},
    // Whatever comes with it.
    {"/admin/compare/promote", {}},
    {"/admin/compare/rollback", {}},
};

// TENON_BOUNDARY_BODIES a route, also below.
TEST(Boundary, EveryRouteAnswersOrNamesTheField) {
  Served served;
  for (const Route& route : Handlers::Routes()) {
    if (route.method != "POST") continue;
    const auto takes = kTakes.find(route.path);
    ASSERT_NE(takes, kTakes.end()) << route.path << ": which bodies does it take?";
    const auto& endpoints = takes->second;
    Random random(7);
    RawClient client(served.server->Port());
    if (endpoints.empty()) {
      const auto body = openai::testing::NextBoundaryBody(Endpoint::kChat, random);
      client.Send(testing::Post(std::string(route.path), body.text));
      EXPECT_EQ(StatusOf(Read(client)), 404) << route.path;
      continue;
    }
    for (int i = openai::testing::BoundaryCount(1000); i > 0 && !HasFailure(); --i) {
      const Endpoint endpoint = endpoints[random.Below(endpoints.size())];
      Ask(client, std::string(route.path), openai::testing::NextBoundaryBody(endpoint, random));
    }
    ASSERT_FALSE(HasFailure()) << route.path;
  }
}

// The texts of a server's frames, up to its closing.
std::vector<std::string> Texts(std::string_view frames) {
  std::vector<std::string> texts;
  while (frames.size() >= 2 && frames[0] == '\x81') {
    size_t length = static_cast<unsigned char>(frames[1]);
    const size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (frames.size() < 2 + more) break;
    if (more > 0) length = 0;
    for (size_t i = 0; i < more; ++i) {
      length = length << 8 | static_cast<unsigned char>(frames[2 + i]);
    }
    texts.emplace_back(frames.substr(2 + more, length));
    frames.remove_prefix(std::min(frames.size(), 2 + more + length));
  }
  return texts;
}

bool IsText(const std::string& bytes) {
  constexpr auto kLeaveOut = json::error_handler_t::ignore;
  const std::string quoted = json(bytes).dump(-1, ' ', false, kLeaveOut);
  return json::parse(quoted).get<std::string>() == bytes;
}

TEST(Boundary, AWebSocketAnswersOrNamesTheField) {
  Served served;
  Random random(9);
  const std::vector<Endpoint>& endpoints = kTakes.at("/v1/jobs");
  for (int i = openai::testing::BoundaryCount(500); i > 0 && !HasFailure(); --i) {
    const BoundaryBody body =
        openai::testing::NextBoundaryBody(endpoints[random.Below(endpoints.size())], random);
    RawClient client(served.server->Port());
    client.Send(testing::Get("/v1/ws", testing::kUpgrade));
    ASSERT_EQ(StatusOf(client.ReadUntil("\r\n\r\n")), 101);
    client.Send(testing::Frame(body.text));
    const std::string frames = client.ReadUntil(std::string("\x88\x02\x03\xe8", 4));
    const std::vector<std::string> texts = Texts(frames);
    // What is no text is no message.
    if (texts.empty() && !IsText(body.text)) continue;
    ASSERT_FALSE(texts.empty()) << body.text.substr(0, 300);
    const json last = json::parse(texts.back(), nullptr, false);
    if (last.is_object() && last.contains("error")) ExpectNamesTheField(400, last, body);
  }
}

}  // namespace
}  // namespace tenon::apps::server
