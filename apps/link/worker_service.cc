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

class Service;

// One front end. Lives until its stream is done and the engine has forgotten its requests.
class Attachment final : public grpc::ServerBidiReactor<v1::ToWorker, v1::FromWorker>,
                         public std::enable_shared_from_this<Attachment> {
 public:
  explicit Attachment(Service& service) : service_(service) {}

  void Begin() { StartRead(&in_); }
  void Greet(std::shared_ptr<EngineClient> engine, const v1::Hello& hello);
  void Beat(const v1::Heartbeat& heartbeat);
  // Starts to write what is there, unless something is being written: then it goes out behind that,
  // all in one message.
  void Flush();
  // Ends the stream and what it asked for.
  void Close(grpc::Status status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { Close(grpc::Status::CANCELLED); }
  void OnDone() override;

 private:
  void Start(const v1::Start& start);
  void Embed(const v1::EmbedCall& call);
  void Hear(uint64_t number, GenerateEvent event);
  bool Next();
  void FinishIfQuiet();

  Service& service_;
  v1::ToWorker in_;
  v1::FromWorker out_;  // on its way

  std::mutex mutex_;
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
  bool writing_ = false;
  bool closed_ = false;
  bool finished_ = false;
  grpc::Status status_;
};

class Service final : public WorkerService, public v1::EngineLink::CallbackService {
 public:
  ~Service() override;

  Result<void> Start(const Endpoint& endpoint);
  int Port() const override { return port_; }
  void Serve(std::shared_ptr<EngineClient> engine, const std::string& resolved) override;
  void AfterStep() override;

  grpc::ServerBidiReactor<v1::ToWorker, v1::FromWorker>* Attach(
      grpc::CallbackServerContext*) override;
  void Detach(const std::shared_ptr<Attachment>& attachment);

 private:
  std::vector<std::shared_ptr<Attachment>> All();
  void BeatUntilStopped();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::shared_ptr<Attachment>> attachments_;
  std::shared_ptr<EngineClient> engine_;
  v1::Hello hello_;
  bool stop_ = false;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::thread beats_;
};

void Attachment::Greet(std::shared_ptr<EngineClient> engine, const v1::Hello& hello) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    engine_ = std::move(engine);
    hello_ = hello;
  }
  Flush();
}

void Attachment::Beat(const v1::Heartbeat& heartbeat) {
  {
    const std::lock_guard lock(mutex_);
    heartbeat_ = heartbeat;
  }
  Flush();
}

// Moves what is to be said next to out_.
bool Attachment::Next() {
  out_.Clear();
  if (hello_) {
    *out_.mutable_hello() = std::move(*std::exchange(hello_, std::nullopt));
  } else if (heartbeat_) {
    *out_.mutable_heartbeat() = std::move(*std::exchange(heartbeat_, std::nullopt));
  } else if (step_.request_size() > 0) {
    out_.mutable_step()->Swap(&step_);
  } else if (!embedded_.empty()) {
    out_.mutable_embedded()->Swap(&embedded_.front());
    embedded_.pop_front();
  } else {
    return false;
  }
  return true;
}

void Attachment::Flush() {
  const std::lock_guard lock(mutex_);
  if (writing_ || closed_ || !Next()) return;
  writing_ = true;
  StartWrite(&out_);
}

void Attachment::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    FinishIfQuiet();
  }
  if (ok) {
    Flush();
  } else {
    Close(grpc::Status::CANCELLED);
  }
}

// Finishing waits for the write that is on its way.
void Attachment::FinishIfQuiet() {
  if (!closed_ || writing_ || finished_) return;
  finished_ = true;
  Finish(status_);
}

void Attachment::Close(grpc::Status status) {
  std::map<uint64_t, Open> open;
  std::shared_ptr<EngineClient> engine;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) status_ = std::move(status);
    closed_ = true;
    open.swap(open_);
    // The engine's thread may be the last to know this: it must not end the engine too.
    engine = std::move(engine_);
    FinishIfQuiet();
  }
  for (const auto& [number, one] : open) {
    if (one.engine_number != 0 && engine != nullptr) engine->Cancel(one.engine_number);
  }
}

void Attachment::OnDone() { service_.Detach(shared_from_this()); }

void Attachment::OnReadDone(bool ok) {
  if (!ok) return Close(grpc::Status::OK);
  switch (in_.what_case()) {
    case v1::ToWorker::kStart:
      Start(in_.start());
      break;
    case v1::ToWorker::kEmbed:
      Embed(in_.embed());
      break;
    case v1::ToWorker::kCancel: {
      // Messages come one by one: the request's Start is done.
      const std::lock_guard lock(mutex_);
      const auto found = open_.find(in_.cancel().request());
      if (found == open_.end() || engine_ == nullptr) break;
      engine_->Cancel(found->second.engine_number, std::max(in_.cancel().choice(), -1));
      break;
    }
    case v1::ToWorker::WHAT_NOT_SET:
      return Close({grpc::StatusCode::INVALID_ARGUMENT, "an empty message"});
  }
  Flush();
  StartRead(&in_);
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
  if (overrun) Close({grpc::StatusCode::RESOURCE_EXHAUSTED, "the front end does not read"});
}

Service::~Service() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (beats_.joinable()) beats_.join();
  if (server_ == nullptr) return;
  for (const auto& attachment : All()) {
    attachment->Close({grpc::StatusCode::UNAVAILABLE, "the worker ends"});
  }
  server_->Shutdown(std::chrono::system_clock::now() + kShutdown);
  // Its thread still calls AfterStep.
  engine_.reset();
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

grpc::ServerBidiReactor<v1::ToWorker, v1::FromWorker>* Service::Attach(
    grpc::CallbackServerContext*) {
  const auto attachment = std::make_shared<Attachment>(*this);
  const std::lock_guard lock(mutex_);
  attachments_.insert(attachment);
  if (engine_ != nullptr) attachment->Greet(engine_, hello_);
  attachment->Begin();
  return attachment.get();
}

void Service::Detach(const std::shared_ptr<Attachment>& attachment) {
  const std::lock_guard lock(mutex_);
  attachments_.erase(attachment);
}

std::vector<std::shared_ptr<Attachment>> Service::All() {
  const std::lock_guard lock(mutex_);
  return {attachments_.begin(), attachments_.end()};
}

void Service::Serve(std::shared_ptr<EngineClient> engine, const std::string& resolved) {
  const std::lock_guard lock(mutex_);
  Write(engine->Facts(), &hello_);
  hello_.set_resolved(resolved);
  engine_ = std::move(engine);
  for (const auto& attachment : attachments_) attachment->Greet(engine_, hello_);
  // Ready is told by a heartbeat.
  changed_.notify_all();
}

void Service::AfterStep() {
  for (const auto& attachment : All()) attachment->Flush();
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
    for (const auto& attachment : All()) attachment->Beat(heartbeat);
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
