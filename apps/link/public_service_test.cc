// SPDX-License-Identifier: Apache-2.0
#include "apps/link/public_service.h"

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/link/public.grpc.pb.h"

namespace tenon::apps::link {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Answers with what it was asked; "busy" is refused, "endless" streams until it is cancelled.
class EchoApi final : public openai::Api {
 public:
  ~EchoApi() override {
    for (std::thread& thread : threads_) thread.join();
  }

  std::shared_ptr<openai::Call> Start(openai::Endpoint endpoint, std::string_view body,
                                      const openai::Caller& caller,
                                      std::shared_ptr<openai::ReplySink> sink) override {
    struct EchoCall final : openai::Call {
      void Cancel() override { cancelled = true; }
      std::atomic<bool> cancelled = false;
    };
    auto call = std::make_shared<EchoCall>();
    last = json::parse(body);
    tenant = caller.tenant;
    const std::string model = last.value("model", "");
    if (model == "busy") {
      openai::ApiError error;
      error.status = 429;
      error.message = "full";
      error.retry_after_s = 3;
      sink->Fail(error);
    } else if (model == "endless") {
      threads_.emplace_back([call, sink, this] {
        while (!call->cancelled) {
          sink->Chunk(R"({"choices":[{"index":0,"text":")" + std::string(1000, 'x') + "\"}]}");
          ++chunks;
        }
        ++cancelled;
      });
    } else if (endpoint == openai::Endpoint::kEmbeddings) {
      sink->Whole(R"({"data":[{"embedding":[1,0.5]}],"usage":{"prompt_tokens":2}})");
    } else {
      sink->Chunk(R"({"choices":[{"index":1,"delta":{"content":"he"},"finish_reason":null}]})");
      sink->Chunk(R"({"choices":[{"index":1,"text":"llo","finish_reason":"stop"}]})");
      sink->Chunk(R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,)"
                  R"("prompt_tokens_details":{"cached_tokens":1}}})");
      sink->End();
    }
    return call;
  }
  std::string ModelsJson() const override { return "{}"; }
  int64_t Running() const override { return 0; }
  int64_t Waiting() const override { return 0; }

  json last;
  std::string tenant;
  std::atomic<int> chunks = 0;
  std::atomic<int> cancelled = 0;

 private:
  std::vector<std::thread> threads_;
};

struct Served {
  Served() {
    PublicServiceOptions options;
    options.tenant_of = [](std::string_view key) {
      return key == "secret" ? std::optional<std::string>("t1") : std::nullopt;
    };
    options.new_request_id = [] { return "r"; };
    auto listening = PublicService::Listen(api, options);
    EXPECT_TRUE(listening.ok()) << listening.error().message;
    service = std::move(*listening);
    stub = tenon::v1::Tenon::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(service->Port()), grpc::InsecureChannelCredentials()));
  }
  // All chunks of a request; how it ended.
  grpc::Status Ask(const tenon::v1::GenerateRequest& request, const std::string& key = "secret") {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + key);
    const auto reader = stub->Generate(&context, request);
    tenon::v1::GenerateChunk chunk;
    chunks.clear();
    while (reader->Read(&chunk)) chunks.push_back(chunk);
    grpc::Status status = reader->Finish();
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto retry = trailing.find("retry-after");
    retry_after =
        retry == trailing.end() ? "" : std::string(retry->second.data(), retry->second.size());
    return status;
  }
  EchoApi api;
  std::unique_ptr<PublicService> service;
  std::unique_ptr<tenon::v1::Tenon::Stub> stub;
  std::vector<tenon::v1::GenerateChunk> chunks;
  std::string retry_after;
};

tenon::v1::GenerateRequest Prompt(const std::string& model) {
  tenon::v1::GenerateRequest request;
  request.set_model(model);
  request.set_prompt("hi");
  return request;
}

TEST(PublicService, StreamsAGenerationAsHttpWould) {
  Served served;
  tenon::v1::GenerateRequest request = Prompt("m");
  request.set_max_tokens(5);
  request.set_temperature(0.5F);
  request.add_stop("end");
  request.set_more_json(R"({"min_p": 0.25, "user": "u"})");
  const grpc::Status status = served.Ask(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(served.api.tenant, "t1");
  EXPECT_EQ(served.api.last,
            json::parse(R"({"model":"m","prompt":"hi","max_tokens":5,"temperature":0.5,
                            "stop":["end"],"min_p":0.25,"user":"u","stream":true,
                            "stream_options":{"include_usage":true}})"));
  ASSERT_EQ(served.chunks.size(), 3U);
  EXPECT_EQ(served.chunks[0].text() + served.chunks[1].text(), "hello");
  EXPECT_EQ(served.chunks[0].choice(), 1);
  EXPECT_EQ(served.chunks[0].finish_reason(), "");
  EXPECT_EQ(served.chunks[1].finish_reason(), "stop");
  EXPECT_EQ(served.chunks[2].usage().completion_tokens(), 2);
  EXPECT_EQ(served.chunks[2].usage().cached_tokens(), 1);
}

TEST(PublicService, TakesIdsAndConversations) {
  Served served;
  tenon::v1::GenerateRequest request;
  request.mutable_prompt_ids()->add_id(7);
  ASSERT_TRUE(served.Ask(request).ok());
  EXPECT_EQ(served.api.last["prompt"], json({7}));
  request.clear_prompt_ids();
  auto* message = request.add_messages();
  message->set_role("user");
  message->set_content("hello");
  ASSERT_TRUE(served.Ask(request).ok());
  EXPECT_EQ(served.api.last["messages"][0]["content"], "hello");
  request.set_prompt("both");
  EXPECT_EQ(served.Ask(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(PublicService, ErrorsAreHttps) {
  Served served;
  const grpc::Status key = served.Ask(Prompt("m"), "wrong");
  EXPECT_EQ(key.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(key.error_message(), ::testing::Not(HasSubstr("secret")));
  const grpc::Status busy = served.Ask(Prompt("busy"));
  EXPECT_EQ(busy.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(busy.error_message(), HasSubstr("full"));
  EXPECT_EQ(served.retry_after, "3");
  for (const char* more : {"[1]", "{", R"({"stream": false})"}) {
    tenon::v1::GenerateRequest request = Prompt("m");
    request.set_more_json(more);
    EXPECT_EQ(served.Ask(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << more;
  }
}

TEST(PublicService, Embeds) {
  Served served;
  tenon::v1::EmbedRequest request;
  request.add_input("text");
  tenon::v1::EmbedReply reply;
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer secret");
  ASSERT_TRUE(served.stub->Embed(&context, request, &reply).ok());
  ASSERT_EQ(reply.embedding_size(), 1);
  EXPECT_EQ(reply.embedding(0).value(1), 0.5F);
  EXPECT_EQ(reply.usage().prompt_tokens(), 2);
}

TEST(PublicService, AClientThatGoesAwayCancels) {
  Served served;
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer secret");
    const auto reader = served.stub->Generate(&context, Prompt("endless"));
    tenon::v1::GenerateChunk chunk;
    ASSERT_TRUE(reader->Read(&chunk));
    context.TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  while (served.api.cancelled < 1) std::this_thread::yield();
}

TEST(PublicService, AStreamThatIsNotReadIsCutOff) {
  Served served;
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer secret");
  const auto reader = served.stub->Generate(&context, Prompt("endless"));
  while (served.api.cancelled < 1) std::this_thread::yield();
  tenon::v1::GenerateChunk chunk;
  while (reader->Read(&chunk)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace tenon::apps::link
