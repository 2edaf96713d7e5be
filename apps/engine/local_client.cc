// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/local_client.h"

#include <utility>

#include "apps/engine/embedding_client.h"
#include "apps/engine/generation_client.h"
#include "apps/engine/ruled_client.h"

namespace tenon::apps {
namespace {

EngineFacts FactsOf(Session& session) {
  const core::Program& program = session.program();
  EngineFacts facts;
  facts.pipeline = session.pipeline().file;
  facts.model = session.pipeline().model;
  facts.model_path = session.model().path;
  for (const Adapters::Named& adapter : session.adapters().All()) {
    facts.adapters.push_back(adapter.name);
  }
  facts.vocabulary = session.model().model->Info().vocabulary;
  facts.max_context = program.Limits().max_context;
  facts.max_sequences = program.Limits().max_sequences;
  facts.workers = static_cast<int32_t>(session.pipeline().serve.workers);
  facts.block_tokens = program.Memory().page_tokens;
  facts.total_blocks = program.Memory().pages;
  return facts;
}

EngineFacts FactsOf(EmbeddingSession& session) {
  EngineFacts facts = FactsOf(session.session());
  facts.generates = false;
  facts.embedding_columns = session.embedder().Columns();
  facts.embedding_max_tokens = session.MaxTokens();
  facts.embedding_cut_tokens = session.CutTokens();
  return facts;
}

core::Engine& WorkerOf(Session& session) { return session.engine(); }
core::Embedder& WorkerOf(EmbeddingSession& session) { return session.embedder(); }

// A client with the session that it drives.
template <typename Client, typename AnySession>
class Owning final : public EngineClient {
 public:
  Owning(std::unique_ptr<AnySession> session, std::function<void()> after_step)
      : session_(std::move(session)),
        client_(WorkerOf(*session_), FactsOf(*session_), std::move(after_step)) {}

  EngineFacts Facts() const override { return client_.Facts(); }
  EngineState State() const override { return client_.State(); }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override {
    return client_.Generate(std::move(request), std::move(on_event));
  }
  void Cancel(uint64_t request, int32_t choice) override { client_.Cancel(request, choice); }
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override {
    client_.Embed(std::move(texts), std::move(done));
  }

 private:
  std::unique_ptr<AnySession> session_;
  Client client_;
};

}  // namespace

std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<Session> session,
                                              std::function<void()> after_step) {
  Rules rules{session->tokenizer(), session->front_rules(), session->back_rules()};
  auto client = std::make_unique<Owning<GenerationClient, Session>>(std::move(session), after_step);
  if (rules.front.empty() && rules.back.empty()) return client;
  return std::make_unique<RuledClient>(std::move(client), std::move(rules), std::move(after_step));
}

std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<EmbeddingSession> session,
                                              std::function<void()> after_step) {
  return std::make_unique<Owning<EmbeddingClient, EmbeddingSession>>(std::move(session),
                                                                     std::move(after_step));
}

}  // namespace tenon::apps
