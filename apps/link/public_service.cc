// SPDX-License-Identifier: Apache-2.0
#include "apps/link/public_service.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "apps/link/endpoint.h"
#include "apps/link/public.grpc.pb.h"
#include "apps/link/public_json.h"
#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

using tenon::v1::EmbedReply;
using tenon::v1::EmbedRequest;
using tenon::v1::GenerateChunk;
using tenon::v1::GenerateRequest;

constexpr size_t kMaxUnread = size_t{1} << 20;
// Of those who generate and those who embed, that neither waits for the other.
constexpr int kGenerateThreads = 2;
constexpr int kEmbedThreads = 1;

grpc::StatusCode CodeOf(int http) {
  switch (http) {
    case 400:
    case 413:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case 401:
      return grpc::StatusCode::UNAUTHENTICATED;
    case 404:
      return grpc::StatusCode::NOT_FOUND;
    case 429:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case 503:
      return grpc::StatusCode::UNAVAILABLE;
    default:
      return grpc::StatusCode::INTERNAL;
  }
}

openai::ApiError ErrorOf(const Error& error) {
  openai::ApiError out;
  out.message = error.message;
  if (error.status != Status::kInvalid) {
    out.status = 500;
    out.type = "server_error";
  }
  return out;
}

// Runs what takes time apart from gRPC's threads, which also carry the workers' links.
class Threads {
 public:
  explicit Threads(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Threads() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void Post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    changed_.notify_one();
  }

 private:
  void Run() {
    for (std::unique_lock lock(mutex_);;) {
      changed_.wait(lock, [&] { return stop_ || !work_.empty(); });
      if (work_.empty()) return;
      const auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// What both kinds of answer share: how they end. Kept alive by itself until gRPC is done with it.
class Answer : public openai::ReplySink {
 public:
  explicit Answer(grpc::CallbackServerContext* context) : context_(context) {}

  void Keep(std::shared_ptr<Answer> self) { self_ = std::move(self); }

  void Begin(openai::Api& api, const Result<ApiRequest>& request, const openai::Caller& caller,
             const std::shared_ptr<Answer>& self) {
    if (!request.ok()) return Fail(ErrorOf(request.error()));
    const auto call = api.Start(request->endpoint, request->body, caller, self);
    bool cancelled = false;
    {
      const std::lock_guard lock(mutex_);
      call_ = call;
      cancelled = cancelled_;
    }
    if (cancelled) call->Cancel();
  }
  // What gRPC tells of both.
  void Cancelled() {
    CancelCall();
    EndWith(grpc::Status::CANCELLED);
  }
  void Done() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    self_.reset();
  }
  // Not under mutex_: the API may be about to tell more.
  void CancelCall() {
    std::shared_ptr<openai::Call> call;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      call = call_;
    }
    if (call != nullptr) call->Cancel();
  }
  void Fail(const openai::ApiError& error) override {
    {
      const std::lock_guard lock(mutex_);
      // Once done, the context is gone.
      for (const auto& [name, value] :
           {std::pair("retry-after", error.retry_after_s > 0 ? std::to_string(error.retry_after_s)
                                                             : std::string()),
            std::pair("error-type", error.type), std::pair("error-param", error.param),
            std::pair("error-code", error.code)}) {
        // gRPC dies of others.
        const bool plain =
            std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
        if (!done_ && plain && !value.empty()) context_->AddTrailingMetadata(name, value);
      }
    }
    EndWith({CodeOf(error.status), error.message});
  }

 protected:
  virtual void EndWith(grpc::Status status) = 0;

  std::shared_ptr<Answer> self_;
  grpc::CallbackServerContext* const context_;
  std::mutex mutex_;
  std::shared_ptr<openai::Call> call_;
  bool cancelled_ = false;
  bool ended_ = false;
  bool done_ = false;  // gRPC is
};

class StreamAnswer final : public Answer, public grpc::ServerWriteReactor<GenerateChunk> {
 public:
  using Answer::Answer;

  void Whole(std::string json) override {
    Chunk(std::move(json));
    End();
  }
  void Chunk(std::string json) override {
    auto chunk = ChunkOf(json);
    if (!chunk.ok()) return Fail(ErrorOf(chunk.error()));
    std::unique_lock lock(mutex_);
    if (ended_) return;
    unread_ += json.size();
    waiting_.push_back(std::move(*chunk));
    Next();
    if (unread_ <= kMaxUnread) return;
    lock.unlock();
    CancelCall();
    EndWith({grpc::StatusCode::RESOURCE_EXHAUSTED, "the stream is not read"});
  }
  void End() override { EndWith(grpc::Status::OK); }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    unread_ -= std::min(unread_, out_.json().size());
    if (!ok) waiting_.clear();
    Next();
  }
  void OnCancel() override { Cancelled(); }
  void OnDone() override { Done(); }

 private:
  void EndWith(grpc::Status status) override {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    if (!status.ok()) waiting_.clear();
    status_ = std::move(status);
    Next();
  }
  // Under mutex_: writes one message at a time, and finishes behind the last.
  void Next() {
    if (writing_ || finished_) return;
    if (!waiting_.empty()) {
      out_ = std::move(waiting_.front());
      waiting_.pop_front();
      writing_ = true;
      StartWrite(&out_);
    } else if (ended_) {
      finished_ = true;
      Finish(status_);
    }
  }

  std::deque<GenerateChunk> waiting_;
  GenerateChunk out_;
  size_t unread_ = 0;  // bytes
  bool writing_ = false;
  bool finished_ = false;
  grpc::Status status_;
};

class EmbedAnswer final : public Answer, public grpc::ServerUnaryReactor {
 public:
  EmbedAnswer(grpc::CallbackServerContext* context, EmbedReply* reply)
      : Answer(context), reply_(reply) {}

  void Whole(std::string json) override {
    auto reply = ReplyOf(json);
    if (!reply.ok()) return Fail(ErrorOf(reply.error()));
    {
      const std::lock_guard lock(mutex_);
      if (!ended_) reply_->Swap(&*reply);
    }
    EndWith(grpc::Status::OK);
  }
  void Chunk(std::string) override {}
  void End() override {}
  void OnCancel() override { Cancelled(); }
  void OnDone() override { Done(); }

 private:
  void EndWith(grpc::Status status) override {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(ended_, true)) Finish(std::move(status));
  }

  EmbedReply* const reply_;
};

class Service final : public PublicService, public tenon::v1::Tenon::CallbackService {
 public:
  Service(openai::Api& api, PublicServiceOptions options)
      : api_(api), options_(std::move(options)) {}
  ~Service() override { Stop(0); }

  Result<void> Start();
  int Port() const override { return port_; }
  void Stop(double seconds) override;

  grpc::ServerWriteReactor<GenerateChunk>* Generate(grpc::CallbackServerContext* context,
                                                    const GenerateRequest* request) override {
    auto answer = std::make_shared<StreamAnswer>(context);
    answer->Keep(answer);
    Take(*context, *request, answer, generates_);
    return answer.get();
  }
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const EmbedRequest* request,
                                  EmbedReply* reply) override {
    auto answer = std::make_shared<EmbedAnswer>(context, reply);
    answer->Keep(answer);
    Take(*context, *request, answer, embeds_);
    return answer.get();
  }

 private:
  // The request is gRPC's until the call is done, which may be before its turn comes: a copy goes.
  template <typename Request>
  void Take(const grpc::CallbackServerContext& context, const Request& request,
            const std::shared_ptr<Answer>& answer, Threads& threads) {
    const auto tenant = options_.tenant_of(KeyOf(context));
    if (!tenant) {
      openai::ApiError error;
      error.status = 401;
      error.message = "an API key is wanted: metadata authorization: Bearer KEY";
      error.code = "invalid_api_key";
      return answer->Fail(error);
    }
    threads.Post([this, answer, tenant = *tenant, request] {
      answer->Begin(api_, BodyOf(request), {options_.new_request_id(), tenant}, answer);
    });
  }
  static std::string_view KeyOf(const grpc::CallbackServerContext& context) {
    constexpr std::string_view kBearer = "Bearer ";
    const auto found = context.client_metadata().find("authorization");
    if (found == context.client_metadata().end()) return "";
    const std::string_view value(found->second.data(), found->second.size());
    return value.starts_with(kBearer) ? value.substr(kBearer.size()) : "";
  }

  openai::Api& api_;
  const PublicServiceOptions options_;
  int port_ = 0;
  Threads generates_{kGenerateThreads};
  Threads embeds_{kEmbedThreads};
  std::unique_ptr<grpc::Server> server_;
};

Result<void> Service::Start() {
  PrepareGrpc();
  const std::string address = fmt::format("{}:{}", options_.host, options_.port);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_body_bytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  server_ = builder.BuildAndStart();
  if (server_ != nullptr && port_ > 0) return {};
  return Error{Status::kIo, fmt::format("gRPC cannot listen at {}; is the port taken?", address)};
}

void Service::Stop(double seconds) {
  if (server_ == nullptr) return;
  const auto by = std::chrono::system_clock::now() +
                  std::chrono::duration_cast<std::chrono::system_clock::duration>(
                      std::chrono::duration<double>(seconds));
  server_->Shutdown(by);
  server_.reset();
}

}  // namespace

Result<std::unique_ptr<PublicService>> PublicService::Listen(openai::Api& api,
                                                             PublicServiceOptions options) {
  auto service = std::make_unique<Service>(api, std::move(options));
  TENON_RETURN_IF_ERROR(service->Start());
  return std::unique_ptr<PublicService>(std::move(service));
}

}  // namespace tenon::apps::link
