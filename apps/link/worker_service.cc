// SPDX-License-Identifier: Apache-2.0
#include "apps/link/worker_service.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "apps/link/credentials.h"
#include "apps/link/engine.grpc.pb.h"
#include "apps/link/messages.h"
#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

constexpr auto kHeartbeat = std::chrono::milliseconds(200);
// A front end that reads nothing while so many rows wait is given up.
constexpr int kMaxPendingRows = 1 << 20;
constexpr auto kShutdown = std::chrono::seconds(1);

using FrontStream = grpc::ServerReaderWriter<v1::FromWorker, v1::ToWorker>;

// One front end. Two threads of its own, one that reads and one that writes: what gRPC's callbacks
// would wake, a step, are several more. Lives until its stream is done and the engine has forgotten
// its requests.
class Attachment final : public std::enable_shared_from_this<Attachment> {
 public:
  Attachment(grpc::ServerContext& context, FrontStream& stream)
      : context_(context), stream_(stream) {}

  // Until the stream is over. On a thread of the server's.
  void Serve();
  void Greet(std::shared_ptr<EngineClient> engine, const v1::Hello& hello);
  void Beat(const v1::Heartbeat& heartbeat);
  // Wakes the writer if there is something to be said.
  void Flush();
  // Ends the stream and what it asked for.
  void Close();

 private:
  void Take(const v1::ToWorker& message);
  void Start(const v1::Start& start);
  void Cancel(const v1::Cancel& cancel);
  void Embed(const v1::EmbedCall& call);
  void Hear(uint64_t number, GenerateEvent event);
  void WriteUntilClosed();
  bool Waits() const;
  void Next(v1::FromWorker* out);

  // Both are gone once Serve has returned.
  grpc::ServerContext& context_;
  FrontStream& stream_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<EngineClient> engine_;
  std::optional<v1::Hello> hello_;
  std::optional<v1::Heartbeat> heartbeat_;
  v1::Step step_;
  std::deque<v1::Embedded> embedded_;
  struct Open {
    uint64_t engine_number = 0;
    int32_t choices = 1;
    bool began = false;
  };
  std::map<uint64_t, Open> open_;
  bool closed_ = false;
};

// Those whose streams are not done.
class Attachments {
 public:
  void Add(const std::shared_ptr<Attachment>& attachment) {
    const std::lock_guard lock(mutex_);
    all_.insert(attachment);
  }
  void Remove(const std::shared_ptr<Attachment>& attachment) {
    const std::lock_guard lock(mutex_);
    all_.erase(attachment);
  }
  std::vector<std::shared_ptr<Attachment>> All() const {
    const std::lock_guard lock(mutex_);
    return {all_.begin(), all_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::shared_ptr<Attachment>> all_;
};

class Service final : public WorkerService, public v1::EngineLink::Service {
 public:
  ~Service() override;

  Result<void> Start(const Endpoint& endpoint);
  int Port() const override { return port_; }
  void Serve(std::shared_ptr<EngineClient> engine, const EngineIdentity& identity) override;
  std::function<void()> AfterStep() override;

  grpc::Status Attach(grpc::ServerContext* context, FrontStream* stream) override;

 private:
  void BeatUntilStopped();

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::shared_ptr<Attachments> attachments_ = std::make_shared<Attachments>();
  std::shared_ptr<EngineClient> engine_;
  v1::Hello hello_;
  bool stop_ = false;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::thread beats_;
};

void Attachment::Serve() {
  std::thread writer([this] { WriteUntilClosed(); });
  v1::ToWorker message;
  while (stream_.Read(&message)) Take(message);
  Close();
  writer.join();
}

void Attachment::Greet(std::shared_ptr<EngineClient> engine, const v1::Hello& hello) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    engine_ = std::move(engine);
    hello_ = hello;
  }
  changed_.notify_one();
}

void Attachment::Beat(const v1::Heartbeat& heartbeat) {
  {
    const std::lock_guard lock(mutex_);
    heartbeat_ = heartbeat;
  }
  changed_.notify_one();
}

void Attachment::Flush() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || !Waits()) return;
  }
  changed_.notify_one();
}

bool Attachment::Waits() const {
  return hello_ || heartbeat_ || step_.request_size() > 0 || !embedded_.empty();
}

// Moves what is to be said next to `out`. REQUIRES: Waits().
void Attachment::Next(v1::FromWorker* out) {
  out->Clear();
  if (hello_) {
    *out->mutable_hello() = std::move(*std::exchange(hello_, std::nullopt));
  } else if (heartbeat_) {
    *out->mutable_heartbeat() = std::move(*std::exchange(heartbeat_, std::nullopt));
  } else if (step_.request_size() > 0) {
    out->mutable_step()->Swap(&step_);
  } else {
    out->mutable_embedded()->Swap(&embedded_.front());
    embedded_.pop_front();
  }
}

// All that was told while a message was on its way goes out in the one behind it.
void Attachment::WriteUntilClosed() {
  v1::FromWorker out;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closed_ || Waits(); });
    if (closed_) return;
    Next(&out);
    lock.unlock();
    if (!stream_.Write(out)) return Close();
    lock.lock();
  }
}

void Attachment::Close() {
  std::map<uint64_t, Open> open;
  std::shared_ptr<EngineClient> engine;
  {
    const std::lock_guard lock(mutex_);
    // Ends a read and a write that wait.
    if (!std::exchange(closed_, true)) context_.TryCancel();
    open.swap(open_);
    engine = std::move(engine_);
  }
  changed_.notify_one();
  for (const auto& [number, one] : open) {
    if (one.engine_number != 0 && engine != nullptr) engine->Cancel(one.engine_number);
  }
}

void Attachment::Take(const v1::ToWorker& message) {
  switch (message.what_case()) {
    case v1::ToWorker::kStart:
      Start(message.start());
      break;
    case v1::ToWorker::kEmbed:
      Embed(message.embed());
      break;
    case v1::ToWorker::kCancel:
      Cancel(message.cancel());
      break;
    case v1::ToWorker::WHAT_NOT_SET:
      return Close();
  }
  Flush();
}

void Attachment::Cancel(const v1::Cancel& cancel) {
  // Messages come one by one: the request's Start is done.
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(cancel.request());
  if (found == open_.end() || engine_ == nullptr) return;
  engine_->Cancel(found->second.engine_number, std::max(cancel.choice(), -1));
}

void Attachment::Start(const v1::Start& start) {
  const uint64_t number = start.request();
  std::shared_ptr<EngineClient> engine;
  {
    const std::lock_guard lock(mutex_);
    engine = engine_;
    if (closed_ || !open_.try_emplace(number, Open{.choices = std::max(start.n(), 1)}).second)
      return;
  }
  GenerateEvent refusal{.finish = core::FinishReason::kError,
                        .status = Status::kIo,
                        .error = "the engine is loading"};
  if (engine == nullptr) return Hear(number, std::move(refusal));
  auto request = Read(start, engine->Facts());
  if (!request.ok()) {
    refusal.status = request.error().status;
    refusal.error = request.error().message;
    return Hear(number, std::move(refusal));
  }
  const uint64_t engine_number = engine->Generate(
      std::move(*request), [self = shared_from_this(), number](GenerateEvent event) {
        self->Hear(number, std::move(event));
      });
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(number);
    if (found != open_.end()) found->second.engine_number = engine_number;
    if (!closed_) return;
  }
  engine->Cancel(engine_number);
}

void Attachment::Embed(const v1::EmbedCall& call) {
  const uint64_t number = call.call();
  const auto answer = [self = shared_from_this(), number](auto vectors) {
    v1::Embedded out;
    Write(number, vectors, &out);
    const std::lock_guard lock(self->mutex_);
    if (!self->closed_) self->embedded_.push_back(std::move(out));
  };
  std::shared_ptr<EngineClient> engine;
  {
    const std::lock_guard lock(mutex_);
    engine = engine_;
  }
  if (engine == nullptr)
    return answer(
        Result<std::vector<std::vector<float>>>(Error{Status::kIo, "the engine is loading"}));
  auto texts = Read(call);
  if (!texts.ok()) return answer(Result<std::vector<std::vector<float>>>(texts.error()));
  engine->Embed(std::move(*texts), answer);
}

void Attachment::Hear(uint64_t number, GenerateEvent event) {
  bool overrun = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(number);
    if (closed_ || found == open_.end()) return;
    if (EndsRequest(event, &found->second.began, &found->second.choices)) open_.erase(found);
    Append(number, event, &step_);
    overrun = step_.request_size() > kMaxPendingRows;
  }
  if (overrun) Close();
}

Service::~Service() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (beats_.joinable()) beats_.join();
  if (server_ == nullptr) return;
  for (const auto& attachment : attachments_->All()) attachment->Close();
  server_->Shutdown(std::chrono::system_clock::now() + kShutdown);
}

Result<void> Service::Start(const Endpoint& endpoint) {
  PrepareGrpc();
  auto credentials = ServerCredentialsOf(endpoint);
  TENON_RETURN_IF_ERROR(credentials);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(AddressOf(endpoint), *credentials, &port_);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  const mode_t before = umask(0177);
  server_ = builder.BuildAndStart();
  umask(before);
  if (server_ == nullptr) {
    return Error{Status::kIo, fmt::format("{}: cannot listen here: {}", AddressOf(endpoint),
                                          std::strerror(errno))};
  }
  beats_ = std::thread([this] { BeatUntilStopped(); });
  return {};
}

grpc::Status Service::Attach(grpc::ServerContext* context, FrontStream* stream) {
  const auto attachment = std::make_shared<Attachment>(*context, *stream);
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return {grpc::StatusCode::UNAVAILABLE, "the worker ends"};
    attachments_->Add(attachment);
    if (engine_ != nullptr) attachment->Greet(engine_, hello_);
  }
  attachment->Serve();
  attachments_->Remove(attachment);
  return grpc::Status::OK;
}

void Service::Serve(std::shared_ptr<EngineClient> engine, const EngineIdentity& identity) {
  const std::lock_guard lock(mutex_);
  Write(engine->Facts(), &hello_);
  Write(identity, &hello_);
  engine_ = std::move(engine);
  for (const auto& attachment : attachments_->All()) attachment->Greet(engine_, hello_);
  // Ready is told by a heartbeat.
  changed_.notify_all();
}

std::function<void()> Service::AfterStep() {
  return [attachments = attachments_] {
    for (const auto& attachment : attachments->All()) attachment->Flush();
  };
}

void Service::BeatUntilStopped() {
  for (std::unique_lock lock(mutex_); !stop_; changed_.wait_for(lock, kHeartbeat)) {
    const std::shared_ptr<EngineClient> engine = engine_;
    lock.unlock();
    EngineState state;
    state.why_not = "loading";
    if (engine != nullptr) state = engine->State();
    v1::Heartbeat heartbeat;
    Write(state, &heartbeat);
    for (const auto& attachment : attachments_->All()) attachment->Beat(heartbeat);
    lock.lock();
  }
}

}  // namespace

Result<std::unique_ptr<WorkerService>> WorkerService::Listen(const Endpoint& endpoint) {
  auto service = std::make_unique<Service>();
  TENON_RETURN_IF_ERROR(service->Start(endpoint));
  return std::unique_ptr<WorkerService>(std::move(service));
}

}  // namespace tenon::apps::link
