// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "apps/assemble/embedding_session.h"
#include "nlohmann/json.hpp"

// Embeddings against an independent implementation (all-MiniLM-L6-v2) and against pooling by hand
// (SmolLM2, a tiny llama).
namespace tenon::testing {
namespace {

using Vector = std::vector<float>;
using Sequences = std::vector<std::vector<int32_t>>;

constexpr const char* kAttention[] = {"reference", "flash", "paged"};

struct Case {
  std::string text;
  std::vector<int32_t> ids;  // special tokens included
  std::vector<double> embedding;
};

// Those in tests/data, and all of the shared reference where it is there.
std::vector<Case> ReadCases() {
  std::filesystem::path path = TENON_SHARED_DIR "/reference/embeddings-minilm.json";
  if (!std::filesystem::exists(path)) {
    path = TENON_SOURCE_DIR "/tests/data/golden/embeddings-minilm.json";
  }
  std::ifstream file(path);
  std::vector<Case> cases;
  const nlohmann::json document = nlohmann::json::parse(file);
  for (const auto& one : document["cases"]) {
    cases.push_back({one["text"], one["ids"], one["embedding"]});
  }
  EXPECT_GE(cases.size(), 3U);
  return cases;
}

std::unique_ptr<apps::EmbeddingSession> Open(const std::string& config,
                                             std::vector<std::string> overrides,
                                             apps::EmbeddingOptions options = {}) {
  options.session.pipeline = TENON_SOURCE_DIR "/configs/" + config;
  options.session.overrides = std::move(overrides);
  auto session = apps::EmbeddingSession::Open(options);
  if (!session.ok()) {
    ADD_FAILURE() << config << ": " << session.error().message;
    return nullptr;
  }
  return std::move(*session);
}

std::vector<Vector> Embed(apps::EmbeddingSession& session, const Sequences& sequences) {
  const auto columns = static_cast<size_t>(session.embedder().Columns());
  Vector all(sequences.size() * columns);
  const auto done = session.embedder().Embed(sequences, all);
  EXPECT_TRUE(done.ok()) << done.error().message;
  std::vector<Vector> out;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * columns);
    out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(columns));
  }
  return out;
}

template <typename Numbers>
void ExpectClose(const Vector& got, const Numbers& want, double tolerance, double distance) {
  ASSERT_EQ(got.size(), want.size());
  double product = 0, got_squares = 0, want_squares = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance) << "column " << i;
    product += double{got[i]} * want[i];
    got_squares += double{got[i]} * got[i];
    want_squares += double{want[i]} * want[i];
  }
  EXPECT_LE(1 - product / std::sqrt(got_squares * want_squares), distance);
}

TEST(MiniLm, GivesTheReferencesEmbeddingsAlone) {
  const std::vector<Case> cases = ReadCases();
  for (const char* attention : kAttention) {
    SCOPED_TRACE(attention);
    const auto session = Open("embed.yaml", {std::string("attention.use=") + attention});
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->pooling(), core::Pooling::kMean);
    EXPECT_TRUE(session->normalises());
    EXPECT_EQ(session->CutTokens(), 256);
    EXPECT_EQ(session->session().model().model->Info().architecture, "bert");
    for (const Case& one : cases) {
      SCOPED_TRACE(one.text.substr(0, 40));
      ExpectClose(Embed(*session, {one.ids})[0], one.embedding, 1e-3, 1e-5);
    }
  }
}

TEST(MiniLm, GivesTheSameBitsInWhateverBatch) {
  const std::vector<Case> cases = ReadCases();
  std::mt19937 random(5);
  Sequences filler(40);
  for (auto& ids : filler) {
    ids.resize(1 + random() % 60);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 30522);
  }
  for (const char* attention : kAttention) {
    SCOPED_TRACE(attention);
    const auto session = Open("embed.yaml", {std::string("attention.use=") + attention});
    ASSERT_NE(session, nullptr);
    Sequences batch = filler;
    for (const Case& one : cases) {
      batch.insert(batch.begin() + static_cast<std::ptrdiff_t>(random() % batch.size()), one.ids);
    }
    const std::vector<Vector> together = Embed(*session, batch);
    for (size_t i = 0; i < batch.size(); ++i) {
      ASSERT_EQ(together[i], Embed(*session, {batch[i]})[0]) << "sequence " << i;
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      for (const Case& one : cases) {
        if (batch[i] == one.ids) ExpectClose(together[i], one.embedding, 1e-3, 1e-5);
      }
    }
  }
}

TEST(MiniLm, EncodesTextsAsTheReferenceDoesAndCutsThem) {
  apps::EmbeddingOptions options;
  options.max_tokens = 8;
  const auto session = Open("embed.yaml", {}, options);
  ASSERT_NE(session, nullptr);
  ASSERT_NE(session->session().tokenizer(), nullptr)
      << session->session().model().tokenizer_problem;
  for (const Case& one : ReadCases()) {
    const auto text = session->Encode(one.text);
    ASSERT_TRUE(text.ok()) << text.error().message;
    std::vector<int32_t> want = one.ids;
    const bool cut = want.size() > 8;
    if (cut) want.erase(want.begin() + 7, want.end() - 1);  // the last is [SEP]
    EXPECT_EQ(text->ids, want);
    EXPECT_EQ(text->cut, cut);
  }
}

TEST(Encoders, DoNotGenerate) {
  apps::SessionOptions options;
  options.pipeline = TENON_SOURCE_DIR "/configs/embed.yaml";
  const auto session = apps::Session::Open(options);
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().status, Status::kUnsupported);
  EXPECT_NE(session.error().message.find("use `tenon embed`"), std::string::npos)
      << session.error().message;
}

TEST(Encoders, RefuseStepsThatTheirTextsDoNotFit) {
  apps::EmbeddingOptions options;
  options.session.pipeline = TENON_SOURCE_DIR "/configs/embed.yaml";
  options.session.overrides = {"scheduler.max_batch_tokens=128"};
  const auto session = apps::EmbeddingSession::Open(options);
  ASSERT_FALSE(session.ok());
  EXPECT_NE(session.error().message.find("may have 256 tokens; a step holds 128"),
            std::string::npos)
      << session.error().message;
  options.max_tokens = 128;
  EXPECT_TRUE(apps::EmbeddingSession::Open(options).ok());
  options.max_tokens = 513;
  EXPECT_FALSE(apps::EmbeddingSession::Open(options).ok());
}

// The hidden states of every token, one chunk of one token at a time, by the Program itself.
std::vector<Vector> HiddenStates(apps::EmbeddingSession& session, const std::vector<int32_t>& ids) {
  core::Program& program = session.session().program();
  std::vector<int32_t> pages(static_cast<size_t>(program.Memory().pages));
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int32_t>(pages.size() - 1 - i);
  const int32_t page = program.Memory().page_tokens;
  std::vector<Vector> out;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto context = static_cast<int32_t>(i);
    const int32_t zero = 0;
    const SequenceSpan span{0, 1, context, 0, context / page + 1, -1};
    Batch batch{};
    batch.tokens = batch.sequences = batch.logit_rows = 1;
    batch.token_ids = &ids[i];
    batch.positions = &context;
    batch.token_sequence = batch.logit_row_tokens = &zero;
    batch.spans = batch.host_spans = &span;
    batch.block_tables = pages.data();
    EXPECT_EQ(program.Run(batch), Status::kOk);
    Vector& row = out.emplace_back(static_cast<size_t>(program.ResultColumns()));
    EXPECT_EQ(program.ReadRow(0, row.data()), Status::kOk);
  }
  return out;
}

// Pooled over states that were computed token by token.
void ExpectPoolsByHand(const std::string& config, std::vector<std::string> overrides,
                       const Sequences& sequences, double tolerance) {
  for (const core::Pooling pooling : {core::Pooling::kLast, core::Pooling::kMean}) {
    SCOPED_TRACE(core::Name(pooling));
    apps::EmbeddingOptions options;
    options.pooling = pooling;
    options.normalise = false;
    const auto session = Open(config, overrides, options);
    ASSERT_NE(session, nullptr);
    const std::vector<Vector> got = Embed(*session, sequences);
    for (size_t i = 0; i < sequences.size(); ++i) {
      const std::vector<Vector> states = HiddenStates(*session, sequences[i]);
      std::vector<double> want(states[0].size());
      for (size_t t = 0; t < states.size(); ++t) {
        const bool counts = pooling == core::Pooling::kMean || t + 1 == states.size();
        const double share =
            pooling == core::Pooling::kMean ? 1.0 / static_cast<double>(states.size()) : 1.0;
        for (size_t c = 0; counts && c < want.size(); ++c) want[c] += share * states[t][c];
      }
      ExpectClose(got[i], want, tolerance, 1e-6);
    }
  }
}

TEST(Decoders, PoolTheirHiddenStates) {
  const Sequences sequences = {{1, 7, 3, 9, 2}, {5}, {8, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {4, 2}};
  const std::string model = "model=" TENON_SOURCE_DIR "/tests/data/models/llama";
  for (const char* attention : kAttention) {
    SCOPED_TRACE(attention);
    ExpectPoolsByHand("exact.yaml", {model, std::string("attention.use=") + attention}, sequences,
                      1e-4);
  }
}

TEST(Decoders, PoolSmolLm2sHiddenStates) {
  ExpectPoolsByHand("exact.yaml", {"scheduler.max_batch_tokens=64"},
                    {{504, 3575, 282, 4649, 314}, {1, 9690, 198, 2683, 359, 253, 5356}, {19556}},
                    2e-3);
}

TEST(Decoders, TakeTheLastTokenWhereFilesSayNothing) {
  const auto session = Open("exact.yaml", {"model=" TENON_SOURCE_DIR "/tests/data/models/llama"});
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->pooling(), core::Pooling::kLast);
  EXPECT_TRUE(session->normalises());
  EXPECT_EQ(session->CutTokens(), 0);
}

}  // namespace
}  // namespace tenon::testing
