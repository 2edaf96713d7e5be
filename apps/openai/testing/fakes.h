// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/openai/api.h"
#include "nlohmann/json.hpp"

// An engine that says what a test tells it, models of bytes, and sinks that remember.
namespace tenon::apps::openai::testing {

// Control tokens of ByteText(), behind the 256 bytes.
inline constexpr int32_t kImEnd = 258;
inline constexpr int32_t kImStart = 260;

// A tokenizer whose ids are the bytes, and a chat template with <|im_start|> and <|im_end|>.
std::shared_ptr<const ModelText> ByteText();

class ScriptedEngine : public EngineClient {
 public:
  struct Started {
    GenerateRequest request;
    OnGenerateEvent on_event;
  };
  struct Cancelled {
    uint64_t request;
    int32_t choice;
  };

  EngineFacts Facts() const override { return facts; }
  EngineState State() const override { return {}; }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

  // An event of choice `choice` of the request at `index` in `started`: the bytes of `text`.
  void Say(size_t index, std::string_view text,
           core::FinishReason finish = core::FinishReason::kNone, int32_t choice = 0);
  // The same with any tokens.
  void Send(size_t index, GenerateEvent event);

  EngineFacts facts;
  bool answers_at_once = false;  // "ok" and the end, before Generate returns
  std::vector<Started> started;
  std::vector<Cancelled> cancelled;
  std::vector<std::vector<int32_t>> embedded;
};

// Serves `engine` as "bytes", with the adapter "poet", where it generates; else as "vectors".
class OneModel : public ModelDirectory {
 public:
  explicit OneModel(std::shared_ptr<ScriptedEngine> engine,
                    std::shared_ptr<const ModelText> text = ByteText());
  std::vector<std::shared_ptr<const ServedModel>> Models() const override { return {model_}; }
  Result<NamedModel> Find(const std::string& name, const std::string& sticky) const override;

 private:
  std::shared_ptr<const ServedModel> model_;
};

class MemorySink : public ReplySink {
 public:
  void Whole(std::string json) override { whole = std::move(json); }
  void Chunk(std::string json) override { chunks.push_back(std::move(json)); }
  void End() override { ended = true; }
  void Fail(const ApiError& failed) override { error = failed; }

  nlohmann::json Json() const { return nlohmann::json::parse(whole); }
  nlohmann::json ChunkJson(size_t index) const { return nlohmann::json::parse(chunks.at(index)); }
  bool done() const { return !whole.empty() || ended || error.has_value(); }

  std::string whole;
  std::vector<std::string> chunks;
  bool ended = false;
  std::optional<ApiError> error;
};

class MemoryObserver : public CallObserver {
 public:
  void OnFirstToken(const std::string&, double) override { ++first_tokens; }
  void OnTokens(const std::string&, int32_t count, double) override { tokens += count; }
  void OnDone(const CallRecord& record) override { records.push_back(record); }
  void OnUnknownField(std::string_view field) override { unknown.emplace_back(field); }

  int first_tokens = 0;
  int tokens = 0;
  std::vector<CallRecord> records;
  std::vector<std::string> unknown;
};

// All of the above, and an Api on them.
struct World {
  explicit World(const AdmissionLimits& limits = {}, const RequestCaps& caps = {});
  // A request that was never answered holds its engine, which holds the request.
  ~World() { engine->started.clear(); }
  std::shared_ptr<MemorySink> Ask(Endpoint endpoint, const std::string& body);
  std::shared_ptr<MemorySink> Chat(const std::string& more = "");        // of one message, "hi"
  std::shared_ptr<MemorySink> Completion(const std::string& more = "");  // of the prompt "hi"

  std::shared_ptr<ScriptedEngine> engine = std::make_shared<ScriptedEngine>();
  OneModel models;
  MemoryObserver observer;
  std::unique_ptr<Api> api;
  std::shared_ptr<Call> call;  // the last
};

}  // namespace tenon::apps::openai::testing
