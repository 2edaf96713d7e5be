// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/local_client.h"

#include <utility>

#include "apps/engine/embedding_loop.h"
#include "apps/engine/generation_loop.h"
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

}  // namespace

std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<Session> session,
                                              std::function<void()> after_step) {
  const std::shared_ptr<Session> shared = std::move(session);
  Rules rules{shared->tokenizer(), shared->front_rules(), shared->back_rules()};
  // Whoever has the engine keeps its session.
  auto client = RunOnThread(std::make_shared<GenerationLoop>(
      std::shared_ptr<core::Engine>(shared, &shared->engine()), FactsOf(*shared), after_step));
  if (rules.front.empty() && rules.back.empty()) return client;
  return std::make_unique<RuledClient>(std::move(client), std::move(rules), std::move(after_step));
}

std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<EmbeddingSession> session,
                                              std::function<void()> after_step) {
  const std::shared_ptr<EmbeddingSession> shared = std::move(session);
  return RunOnThread(
      std::make_shared<EmbeddingLoop>(std::shared_ptr<core::Embedder>(shared, &shared->embedder()),
                                      FactsOf(*shared), std::move(after_step)));
}

}  // namespace tenon::apps
