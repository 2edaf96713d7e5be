// SPDX-License-Identifier: Apache-2.0
#include "core/engine/embedder.h"

#include <cmath>
#include <random>

#include "core/engine/fake_parts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::core {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::FakeAttention;
using testing::FakeDevice;
using testing::HashStep;
using ::testing::HasSubstr;
using ::testing::Le;

using Sequences = std::vector<std::vector<int32_t>>;

constexpr int32_t kColumns = 3;

// An encoder of one op: the row of a token is {id, position, hash of its whole sequence}.
class EncodeOp final : public Op {
 public:
  void Run(const Batch& batch, const Lane&) noexcept override {
    tokens.push_back(batch.tokens);
    sequences.push_back(batch.sequences);
    logit_rows.push_back(batch.logit_rows);
    for (int32_t r = 0; r < batch.logit_rows; ++r) {
      const int32_t t = batch.logit_row_tokens[r];
      const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
      int32_t hash = 0;
      for (int32_t i = 0; i < span.tokens; ++i) {
        hash = HashStep(hash, batch.token_ids[span.first_token + i]);
      }
      auto* row = reinterpret_cast<float*>(static_cast<char*>(out.data) + r * out.row_bytes);
      row[0] = broken ? NAN : static_cast<float>(batch.token_ids[t]);
      row[1] = static_cast<float>(batch.positions[t]);
      row[2] = static_cast<float>(hash);
    }
  }
  Buffer out{};
  bool broken = false;
  std::vector<int32_t> tokens, sequences, logit_rows;  // by step
};

class EncodeMaker final : public OpMaker {
 public:
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    op.out = spec.outputs[0];
    *out = {.op = &op, .split = Split::kAny};
    return Status::kOk;
  }
  EncodeOp op;
};

// A Program of that op alone.
struct FakeEncoder {
  explicit FakeEncoder(const ProgramLimits& limits) : device(1) {
    ProgramList list;
    const uint32_t rows = list.AddValue({"rows", DType::kF32, RowSet::kLogitRows, kColumns});
    const Operand out{rows, 0, kColumns};
    Node node;
    node.kind = node.name = "encode";
    node.family = Family::kQuant;
    node.outputs = {&out, 1};
    list.Insert(0, node);
    Makers makers;
    makers.device = &device;
    makers.by_family[static_cast<size_t>(Family::kQuant)] = &maker;
    auto compiled = Program::Compile(
        list, {rows}, makers, limits, [] { return std::string(); }, nullptr);
    TENON_CHECK(compiled.ok());
    program = std::move(*compiled);
  }
  FakeDevice device;
  EncodeMaker maker;
  std::unique_ptr<Program> program;
};

ProgramLimits Limits(int32_t tokens, int32_t sequences) {
  return {.max_tokens = tokens,
          .max_logit_rows = tokens,
          .max_context = tokens,
          .kv_bytes = 1 << 20,
          .max_sequences = sequences};
}

EmbedderOptions Plain(Pooling pooling) { return {pooling, false, testing::kVocabulary}; }

std::vector<float> Embed(Program& program, const EmbedderOptions& options,
                         const Sequences& sequences) {
  Embedder embedder(program, options);
  std::vector<float> out(sequences.size() * static_cast<size_t>(embedder.Columns()));
  const auto done = embedder.Embed(sequences, out);
  EXPECT_TRUE(done.ok()) << done.error().message;
  return out;
}

Sequences Random(size_t count, int32_t longest, uint32_t seed) {
  std::mt19937 random(seed);
  Sequences out(count);
  for (auto& ids : out) {
    ids.resize(1 + random() % static_cast<uint32_t>(longest));
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % testing::kVocabulary);
  }
  return out;
}

int32_t Hash(const std::vector<int32_t>& ids) {
  int32_t hash = 0;
  for (const int32_t id : ids) hash = HashStep(hash, id);
  return hash;
}

TEST(Embedder, PoolsRowsOfTheirOwnSequence) {
  FakeEncoder encoder(Limits(16, 4));
  const Sequences sequences = {{5, 8, 2}, {9}, {1, 2, 3, 4}};
  const auto hash = [&](size_t i) { return static_cast<float>(Hash(sequences[i])); };
  EXPECT_THAT(Embed(*encoder.program, Plain(Pooling::kMean), sequences),
              ElementsAre(5, 1, hash(0), 9, 0, hash(1), 2.5f, 1.5f, hash(2)));
  EXPECT_THAT(Embed(*encoder.program, Plain(Pooling::kMax), sequences),
              ElementsAre(8, 2, hash(0), 9, 0, hash(1), 4, 3, hash(2)));
  EXPECT_THAT(Embed(*encoder.program, Plain(Pooling::kFirst), sequences),
              ElementsAre(5, 0, hash(0), 9, 0, hash(1), 1, 0, hash(2)));
  EXPECT_THAT(Embed(*encoder.program, Plain(Pooling::kLast), sequences),
              ElementsAre(2, 2, hash(0), 9, 0, hash(1), 4, 3, hash(2)));
  EXPECT_THAT(encoder.maker.op.logit_rows, ElementsAre(8, 8, 3, 3));
}

TEST(Embedder, NormalisesToLengthOne) {
  FakeEncoder encoder(Limits(16, 4));
  const EmbedderOptions options{Pooling::kMean, true, testing::kVocabulary};
  const Sequences sequences = {{5, 8, 2}, {9, 4}};
  const auto plain = Embed(*encoder.program, Plain(Pooling::kMean), sequences);
  const auto unit = Embed(*encoder.program, options, sequences);
  for (size_t i = 0; i < 2; ++i) {
    double squares = 0;
    for (size_t c = 0; c < kColumns; ++c) squares += double{plain[i * 3 + c]} * plain[i * 3 + c];
    for (size_t c = 0; c < kColumns; ++c) {
      EXPECT_NEAR(unit[i * 3 + c], plain[i * 3 + c] / std::sqrt(squares), 1e-7);
    }
  }
}

TEST(Embedder, FillsStepsWithinTheirLimits) {
  FakeEncoder encoder(Limits(32, 6));
  Embed(*encoder.program, Plain(Pooling::kMean), Random(200, 32, 1));
  const EncodeOp& op = encoder.maker.op;
  EXPECT_THAT(op.tokens, Each(Le(32)));
  EXPECT_THAT(op.sequences, Each(Le(6)));
  int32_t all = 0;
  for (const int32_t tokens : op.tokens) all += tokens;
  // Without padding, and with little left empty.
  EXPECT_LE(static_cast<int32_t>(op.tokens.size()), all / 32 + all / 32 / 10 + 2);
}

TEST(Embedder, KeepsTheOrderAndTheBitsInWhateverCompany) {
  FakeEncoder encoder(Limits(32, 6));
  const EmbedderOptions options{Pooling::kMean, true, testing::kVocabulary};
  const Sequences sequences = Random(100, 20, 2);
  const auto together = Embed(*encoder.program, options, sequences);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto alone = Embed(*encoder.program, options, {sequences[i]});
    EXPECT_EQ(
        std::vector<float>(together.begin() + static_cast<std::ptrdiff_t>(i * kColumns),
                           together.begin() + static_cast<std::ptrdiff_t>((i + 1) * kColumns)),
        alone)
        << "sequence " << i;
  }
}

TEST(Embedder, RefusesWhatCannotRunAndRunsNothing) {
  FakeEncoder encoder(Limits(8, 4));
  Embedder embedder(*encoder.program, Plain(Pooling::kMean));
  EXPECT_EQ(embedder.MaxTokens(), 8);
  std::vector<float> out(2 * kColumns);
  const auto error = [&](const Sequences& sequences) {
    const auto done = embedder.Embed(sequences, out);
    return done.ok() ? "no error" : done.error().message;
  };
  EXPECT_THAT(error({{1}, {}}), HasSubstr("sequence 1 has no tokens"));
  EXPECT_THAT(error({{1}, std::vector<int32_t>(9)}),
              HasSubstr("sequence 1 has 9 tokens; at most 8 allowed"));
  EXPECT_THAT(error({{-1}}), HasSubstr("token id -1 is outside the vocabulary of 101"));
  EXPECT_THAT(error({{101}}), HasSubstr("token id 101 is outside"));
  EXPECT_EQ(embedder.Steps(), 0);
}

TEST(Embedder, ReportsCancellationBrokenValuesAndFailures) {
  FakeEncoder encoder(Limits(8, 4));
  Embedder embedder(*encoder.program, Plain(Pooling::kMean));
  std::vector<float> out(kColumns);
  const bool stop = true;
  EXPECT_EQ(embedder.Embed(Sequences{{1}}, out, &stop).error().status, Status::kCancelled);
  encoder.maker.op.broken = true;
  EXPECT_EQ(embedder.Embed(Sequences{{1}}, out).error().status, Status::kInternal);
  encoder.maker.op.broken = false;
  encoder.device.fail = true;
  EXPECT_EQ(embedder.Embed(Sequences{{1}}, out).error().status, Status::kInternal);
  encoder.device.fail = false;
  EXPECT_TRUE(embedder.Embed(Sequences{{1}}, out).ok());
}

// A decoder's Program up to its hidden rows, with KV pages of two slots.
struct FakeDecoder {
  explicit FakeDecoder(const ProgramLimits& limits) : device(2), attention(device, 2) {
    ProgramList list;
    const uint32_t x = list.AddValue({"x", DType::kF32, RowSet::kTokens, 1});
    const uint32_t o = list.AddValue({"o", DType::kF32, RowSet::kTokens, 1});
    const uint32_t rows = list.AddValue({"rows", DType::kF32, RowSet::kLogitRows, 1});
    const AttentionParams params{};
    const auto append = [&](const char* kind, Family family, std::vector<Operand> in, Operand out) {
      Node node;
      node.kind = node.name = kind;
      node.family = family;
      node.inputs = {in.data(), in.size()};
      node.outputs = {&out, 1};
      node.params = &params;
      node.params_bytes = sizeof(params);
      list.Insert(list.Count(), node);
    };
    append(kEmbed, Family::kDevice, {}, {x, 0, 1});
    append(kAttention, Family::kAttention, {{x, 0, 1}}, {o, 0, 1});
    append(kGatherRows, Family::kDevice, {{o, 0, 1}}, {rows, 0, 1});
    Makers makers;
    makers.device = &device;
    makers.attention = &attention;
    makers.by_family[static_cast<size_t>(Family::kDevice)] = &device;
    makers.by_family[static_cast<size_t>(Family::kAttention)] = &attention;
    auto compiled = Program::Compile(
        list, {rows}, makers, limits, [] { return std::string(); }, nullptr);
    TENON_CHECK(compiled.ok());
    program = std::move(*compiled);
  }
  FakeDevice device;
  FakeAttention attention;
  std::unique_ptr<Program> program;
};

TEST(Embedder, GivesEachSequenceOfADecoderPagesOfItsOwn) {
  const Sequences sequences = Random(60, 16, 3);
  for (const int64_t kv_tokens : {16, 22, 200}) {
    ProgramLimits limits = Limits(16, 8);
    limits.kv_tokens = kv_tokens;
    FakeDecoder decoder(limits);
    const auto last = Embed(*decoder.program, Plain(Pooling::kLast), sequences);
    const auto mean = Embed(*decoder.program, Plain(Pooling::kMean), sequences);
    for (size_t i = 0; i < sequences.size(); ++i) {
      int32_t hash = 0;
      double sum = 0;
      for (const int32_t id : sequences[i]) sum += hash = HashStep(hash, id);
      EXPECT_EQ(last[i], static_cast<float>(hash)) << "sequence " << i;
      EXPECT_EQ(mean[i], static_cast<float>(sum / static_cast<double>(sequences[i].size())));
    }
  }
}

}  // namespace
}  // namespace tenon::core
