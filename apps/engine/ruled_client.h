// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "apps/engine/engine_client.h"
#include "tenon/rules.h"
#include "text/tokenizer.h"

namespace tenon::apps {

// A pipeline's rules, in its order. All live as long as the engine tells events.
struct Rules {
  const text::Tokenizer* tokenizer = nullptr;  // null: the model has none, and nothing can be ruled
  std::vector<FrontRule*> front;
  std::vector<BackRule*> back;
};

// An engine behind rules: front rules may answer in its stead, back rules change what is shown of
// its output (GenerateEvent::text). Requests of log-probabilities are refused where there are back
// rules, since those would show what the rules hide.
class RuledClient final : public EngineClient {
 public:
  // `after_answer`, if any, is called behind the events of a request that a rule answered.
  RuledClient(std::unique_ptr<EngineClient> engine, Rules rules,
              std::function<void()> after_answer);

  EngineFacts Facts() const override { return engine_->Facts(); }
  EngineState State() const override { return engine_->State(); }
  // Numbers are the engine's; 0 where a rule answered.
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

 private:
  const std::shared_ptr<const Rules> rules_;  // the engine's events may outlive the client
  const std::function<void()> after_answer_;
  const std::shared_ptr<EngineClient> engine_;
};

}  // namespace tenon::apps
