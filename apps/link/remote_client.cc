// SPDX-License-Identifier: Apache-2.0
#include "apps/link/remote_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "apps/link/credentials.h"
#include "apps/link/engine.grpc.pb.h"
#include "apps/link/messages.h"
#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

using Clock = std::chrono::steady_clock;

// Requests and calls of all links.
std::atomic<uint64_t> g_next = 1;

using WorkerStream = grpc::ClientReaderWriterInterface<v1::ToWorker, v1::FromWorker>;

// The stream, with two threads of its own, one that reads and one that writes: what gRPC's
// callbacks would wake, a step, are several more. Kept by the reader until it is over.
class Stream final : public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::shared_ptr<grpc::Channel> channel, std::function<void()> on_change)
      : rpc_(v1::EngineLink::NewStub(std::move(channel))), on_change_(std::move(on_change)) {}
  ~Stream() {
    if (reader_.joinable()) reader_.join();
  }

  void Begin();
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event);
  void Cancel(uint64_t request, int32_t choice);
  void Embed(const std::vector<std::vector<int32_t>>& texts, OnEmbeddings done);
  void Break(const std::string& why);

  EngineFacts Facts() const;
  EngineState State() const;
  LinkState Link() const;
  EngineIdentity Identity() const;

 private:
  struct Open {
    OnGenerateEvent on_event;
    int32_t choices = 1;
    int32_t left = 1;
    bool began = false;
    int64_t tokens = 0;
    std::vector<bool> ended;  // by choice
  };
  struct Call {
    OnEmbeddings done;
    size_t texts = 0;
    int64_t tokens = 0;
  };

  void ReadUntilLost();
  void WriteUntilLost(WorkerStream& stream);
  void Send(v1::ToWorker message);
  void Take(const v1::FromWorker& message);
  void Greeted(const v1::Hello& hello);
  void Tell(uint64_t number, GenerateEvent event);
  void Answer(const v1::Embedded& message);
  void Lose(std::string why);

  decltype(v1::EngineLink::NewStub(nullptr)) rpc_;
  grpc::ClientContext context_;
  const std::function<void()> on_change_;
  std::thread reader_;
  EngineFacts read_facts_;  // the reader's own copy

  mutable std::mutex mutex_;
  std::condition_variable to_send_;
  EngineFacts facts_;
  EngineIdentity identity_;
  EngineState state_;
  bool serving_ = false;
  std::string lost_;
  Clock::time_point heard_ = Clock::now();
  std::deque<v1::ToWorker> sending_;
  std::map<uint64_t, std::shared_ptr<Open>> open_;
  std::map<uint64_t, Call> calls_;
  int64_t tokens_ = 0;
};

GenerateEvent LostEvent(int32_t choice, const std::string& why) {
  GenerateEvent event;
  event.choice = choice;
  event.finish = core::FinishReason::kError;
  event.status = Status::kIo;
  event.error = why;
  return event;
}

// Streams that are over. Their last reader is waited for, which none can do on its own thread.
class Graveyard {
 public:
  static Graveyard& Get() {
    static auto* graveyard = new Graveyard();
    return *graveyard;
  }
  void Add(std::shared_ptr<Stream> stream) {
    const std::lock_guard lock(mutex_);
    streams_.push_back(std::move(stream));
  }
  void Sweep() {
    std::vector<std::shared_ptr<Stream>> unused;
    const std::lock_guard lock(mutex_);
    for (auto& stream : streams_) {
      if (stream.use_count() == 1) unused.push_back(std::move(stream));
    }
    std::erase(streams_, nullptr);
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Stream>> streams_;
};

void Stream::Begin() {
  reader_ = std::thread([self = shared_from_this()]() mutable {
    self->ReadUntilLost();
    Graveyard::Get().Add(std::move(self));
  });
}

void Stream::ReadUntilLost() {
  const std::unique_ptr<WorkerStream> stream = rpc_->Attach(&context_);
  std::thread writer([&] { WriteUntilLost(*stream); });
  v1::FromWorker message;
  while (stream->Read(&message)) Take(message);
  Lose("the engine was lost");
  to_send_.notify_one();
  writer.join();
  stream->Finish();
}

void Stream::WriteUntilLost(WorkerStream& stream) {
  v1::ToWorker out;
  std::unique_lock lock(mutex_);
  for (;;) {
    to_send_.wait(lock, [this] { return !lost_.empty() || !sending_.empty(); });
    if (!lost_.empty()) return;
    out.Swap(&sending_.front());
    sending_.pop_front();
    lock.unlock();
    // What breaks the write ends the reading too.
    if (!stream.Write(out)) return;
    lock.lock();
  }
}

// Under mutex_.
void Stream::Send(v1::ToWorker message) {
  sending_.push_back(std::move(message));
  to_send_.notify_one();
}

uint64_t Stream::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  auto open = std::make_shared<Open>();
  open->on_event = std::move(on_event);
  open->choices = open->left = std::max(request.n, 1);
  open->tokens = static_cast<int64_t>(request.prompt.size());
  v1::ToWorker message;
  std::unique_lock lock(mutex_);
  const uint64_t number = g_next++;
  if (lost_.empty()) {
    Write(number, request, message.mutable_start());
    if (message.ByteSizeLong() <= static_cast<size_t>(kMaxMessageBytes)) {
      tokens_ += open->tokens;
      open_.emplace(number, std::move(open));
      Send(std::move(message));
      return number;
    }
  }
  GenerateEvent event = LostEvent(0, lost_);
  if (lost_.empty()) {
    event.status = Status::kInvalid;
    event.error = "the request is too large for the link to the engine";
  }
  lock.unlock();
  open->on_event(std::move(event));
  return number;
}

void Stream::Cancel(uint64_t request, int32_t choice) {
  v1::ToWorker message;
  message.mutable_cancel()->set_request(request);
  message.mutable_cancel()->set_choice(choice);
  const std::lock_guard lock(mutex_);
  if (lost_.empty() && open_.count(request) > 0) Send(std::move(message));
}

void Stream::Embed(const std::vector<std::vector<int32_t>>& texts, OnEmbeddings done) {
  v1::ToWorker message;
  std::unique_lock lock(mutex_);
  Error error{Status::kIo, lost_};
  if (lost_.empty()) {
    const uint64_t number = g_next++;
    Write(number, texts, message.mutable_embed());
    if (message.ByteSizeLong() <= static_cast<size_t>(kMaxMessageBytes)) {
      const int64_t tokens = message.embed().tokens_size();
      tokens_ += tokens;
      calls_.emplace(number, Call{std::move(done), texts.size(), tokens});
      Send(std::move(message));
      return;
    }
    error = {Status::kInvalid, "the texts are too large for the link to the engine; give fewer"};
  }
  lock.unlock();
  done(std::move(error));
}

void Stream::Break(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!lost_.empty()) return;
    lost_ = why;
  }
  to_send_.notify_one();
  context_.TryCancel();
}

EngineFacts Stream::Facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

EngineState Stream::State() const {
  const std::lock_guard lock(mutex_);
  EngineState state = state_;
  if (!lost_.empty()) {
    state.ready = false;
    state.why_not = lost_;
  }
  return state;
}

LinkState Stream::Link() const {
  const std::lock_guard lock(mutex_);
  return {.serving = serving_ && lost_.empty(),
          .lost = lost_,
          .silence_s = std::chrono::duration<double>(Clock::now() - heard_).count(),
          .requests = static_cast<int64_t>(open_.size() + calls_.size()),
          .tokens = tokens_};
}

EngineIdentity Stream::Identity() const {
  const std::lock_guard lock(mutex_);
  return identity_;
}

void Stream::Take(const v1::FromWorker& message) {
  {
    const std::lock_guard lock(mutex_);
    heard_ = Clock::now();
  }
  Result<void> read;
  switch (message.what_case()) {
    case v1::FromWorker::kHello:
      Greeted(message.hello());
      break;
    case v1::FromWorker::kHeartbeat: {
      EngineState state = Read(message.heartbeat());
      const std::lock_guard lock(mutex_);
      state_ = std::move(state);
      break;
    }
    case v1::FromWorker::kStep:
      read = Read(message.step(), read_facts_,
                  [this](uint64_t number, GenerateEvent event) { Tell(number, std::move(event)); });
      if (!read.ok()) Break("the engine was lost: " + read.error().message);
      break;
    case v1::FromWorker::kEmbedded:
      Answer(message.embedded());
      break;
    case v1::FromWorker::WHAT_NOT_SET:
      Break("the engine was lost: an empty message");
      break;
  }
}

void Stream::Greeted(const v1::Hello& hello) {
  auto facts = Read(hello);
  if (!facts.ok()) return Break("the engine was lost: " + facts.error().message);
  auto identity = ReadIdentity(hello);
  if (!identity.ok()) return Break("the engine was lost: " + identity.error().message);
  read_facts_ = *facts;
  {
    const std::lock_guard lock(mutex_);
    facts_ = std::move(*facts);
    identity_ = std::move(*identity);
    serving_ = true;
  }
  on_change_();
}

void Stream::Tell(uint64_t number, GenerateEvent event) {
  std::shared_ptr<Open> open;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(number);
    if (found == open_.end()) return;
    open = found->second;
    const auto choice = static_cast<size_t>(event.choice);
    if (event.choice >= open->choices) return;
    if (open->ended.empty()) open->ended.resize(static_cast<size_t>(open->choices));
    if (open->ended[choice]) return;
    open->ended[choice] = event.finish != core::FinishReason::kNone;
    const auto tokens = static_cast<int64_t>(event.tokens.size());
    open->tokens += tokens;
    tokens_ += tokens;
    if (EndsRequest(event, &open->began, &open->left)) {
      tokens_ -= open->tokens;
      open_.erase(found);
    }
  }
  open->on_event(std::move(event));
}

void Stream::Answer(const v1::Embedded& message) {
  Call call;
  {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(message.call());
    if (found == calls_.end()) return;
    call = std::move(found->second);
    calls_.erase(found);
    tokens_ -= call.tokens;
  }
  call.done(Read(message, call.texts, read_facts_.embedding_columns));
}

// Behind the last read, so that no event comes behind the error.
void Stream::Lose(std::string why) {
  std::map<uint64_t, std::shared_ptr<Open>> open;
  std::map<uint64_t, Call> calls;
  {
    const std::lock_guard lock(mutex_);
    if (lost_.empty()) lost_ = std::move(why);
    why = lost_;
    open.swap(open_);
    calls.swap(calls_);
    sending_.clear();
    tokens_ = 0;
  }
  on_change_();
  for (const auto& [number, one] : open) {
    for (int32_t choice = 0; choice < one->choices; ++choice) {
      const auto place = static_cast<size_t>(choice);
      if (place < one->ended.size() && one->ended[place]) continue;
      one->on_event(LostEvent(choice, why));
      if (!one->began) break;
    }
  }
  for (const auto& [number, call] : calls) call.done(Error{Status::kIo, why});
}

class Remote final : public RemoteClient {
 public:
  explicit Remote(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~Remote() override { stream_->Break("the engine is given back"); }

  EngineFacts Facts() const override { return stream_->Facts(); }
  EngineState State() const override { return stream_->State(); }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override {
    return stream_->Generate(std::move(request), std::move(on_event));
  }
  void Cancel(uint64_t request, int32_t choice) override { stream_->Cancel(request, choice); }
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override {
    stream_->Embed(texts, std::move(done));
  }
  LinkState Link() const override { return stream_->Link(); }
  EngineIdentity Identity() const override { return stream_->Identity(); }
  void Break(const std::string& why) override { stream_->Break(why); }

 private:
  std::shared_ptr<Stream> stream_;
};

}  // namespace

void RemoteClient::Sweep() { Graveyard::Get().Sweep(); }

Result<std::shared_ptr<RemoteClient>> RemoteClient::Connect(const Endpoint& endpoint,
                                                            std::function<void()> on_change) {
  PrepareGrpc();
  auto credentials = ChannelCredentialsOf(endpoint);
  TENON_RETURN_IF_ERROR(credentials);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  auto stream = std::make_shared<Stream>(
      grpc::CreateCustomChannel(AddressOf(endpoint), *credentials, arguments),
      std::move(on_change));
  stream->Begin();
  return std::shared_ptr<RemoteClient>(std::make_shared<Remote>(std::move(stream)));
}

}  // namespace tenon::apps::link
