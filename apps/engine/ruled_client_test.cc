// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/ruled_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "text/testing/vocabularies.h"

namespace tenon::apps {
namespace {

using core::FinishReason;

class FakeEngine : public EngineClient {
 public:
  EngineFacts Facts() const override { return {}; }
  EngineState State() const override { return {}; }
  uint64_t Generate(GenerateRequest, OnGenerateEvent on_event) override {
    hear = std::move(on_event);
    return ++asked;
  }
  void Cancel(uint64_t, int32_t choice) override { cancelled.push_back(choice); }
  void Embed(std::vector<std::vector<int32_t>>, OnEmbeddings) override {}
  void Say(const std::string& text, FinishReason finish = FinishReason::kNone, int32_t choice = 0) {
    GenerateEvent event;
    event.choice = choice;
    event.finish = finish;
    for (const char c : text) event.tokens.push_back({static_cast<uint8_t>(c), 0, {}});
    const OnGenerateEvent told = hear;  // the listener may end the engine
    told(std::move(event));
  }
  OnGenerateEvent hear;
  uint64_t asked = 0;
  std::vector<int32_t> cancelled;
};

// Knows what it was told, and "hi".
class Memory final : public FrontRule {
 public:
  bool Answer(const RuleRequest& request, TextSink& out) noexcept override {
    const auto found = learnt.find({request.fingerprint[0], request.fingerprint[1]});
    if (found != learnt.end()) out.Append(std::string_view(found->second));
    if (found == learnt.end() && request.user_text == Str("hi")) out.Append("hello #");
    return found != learnt.end() || request.user_text == Str("hi");
  }
  void Learn(const RuleRequest& request, Str answer) noexcept override {
    learnt[{request.fingerprint[0], request.fingerprint[1]}] = std::string_view(answer);
  }
  std::map<std::pair<uint64_t, uint64_t>, std::string> learnt;
};

// Holds back everything behind a '(' until ')', drops what is between; ends at '#'.
class Brackets final : public BackRule {
 public:
  class Filter final : public TextFilter {
   public:
    void Feed(Str text, TextSink& out) noexcept override {
      for (const char& c : std::string_view(text)) {
        if (blocked_) return;
        if (c == '#') blocked_ = true;
        if (c == '(') held_ = "(";
        if (!held_.empty()) {
          if (c != '(') held_ += c;
          if (c == ')') held_.clear();
        } else if (!blocked_) {
          out.Append({&c, 1});
        }
      }
    }
    void Finish(TextSink& out) noexcept override { out.Append(std::string_view(held_)); }
    bool Blocked() const noexcept override { return blocked_; }

   private:
    std::string held_;
    bool blocked_ = false;
  };
  TextFilter* Begin() noexcept override {
    ++open;
    return new Filter;
  }
  void End(TextFilter* filter) noexcept override {
    --open;
    delete static_cast<Filter*>(filter);
  }
  int open = 0;
};

class RuledClientTest : public ::testing::Test {
 protected:
  RuledClientTest() {
    auto made = text::Tokenizer::Make(text::testing::ByteVocabulary({{"\x01", "\x02"}}));
    EXPECT_TRUE(made.ok());
    tokenizer_.emplace(*std::move(made));
  }
  RuledClient Make(std::vector<FrontRule*> front, std::vector<BackRule*> back) {
    auto engine = std::make_unique<FakeEngine>();
    engine_ = engine.get();
    return RuledClient(std::move(engine), {&*tokenizer_, std::move(front), std::move(back)}, {});
  }
  static GenerateRequest Request(const std::string& user_text, uint64_t seed = 1) {
    GenerateRequest request;
    request.prompt = {1, 2, 3};
    request.user_text = user_text;
    request.sampling.seed = seed;
    return request;
  }
  OnGenerateEvent Listen() {
    return [this](GenerateEvent event) {
      text_ += event.text.value_or("");
      shown_.push_back(event.text.value_or("-"));
      last_ = std::move(event);
    };
  }

  std::optional<text::Tokenizer> tokenizer_;
  FakeEngine* engine_ = nullptr;
  Memory memory_;
  Brackets brackets_;
  std::string text_;
  std::vector<std::string> shown_;
  GenerateEvent last_;
};

TEST_F(RuledClientTest, FrontRuleAnswersInsteadOfTheModel) {
  auto client = Make({&memory_}, {});
  EXPECT_EQ(client.Generate(Request("hi"), Listen()), 0u);
  EXPECT_EQ(engine_->asked, 0u);
  EXPECT_EQ(text_, "hello #");
  EXPECT_EQ(last_.tokens.size(), 7u);
  EXPECT_EQ(last_.finish, FinishReason::kStop);
  EXPECT_FALSE(last_.blocked);
}

TEST_F(RuledClientTest, BackRulesAlsoChangeWhatFrontRulesSay) {
  auto client = Make({&memory_}, {&brackets_});
  client.Generate(Request("hi"), Listen());
  EXPECT_EQ(text_, "hello ");
  EXPECT_TRUE(last_.blocked);
  EXPECT_EQ(brackets_.open, 0);
}

TEST_F(RuledClientTest, BackRuleChangesAStream) {
  auto client = Make({}, {&brackets_});
  client.Generate(Request("x"), Listen());
  engine_->Say("a(b");
  engine_->Say("c)d(");
  engine_->Say("e", FinishReason::kLength);
  EXPECT_EQ(shown_, (std::vector<std::string>{"a", "d", "(e"}));
  EXPECT_EQ(last_.finish, FinishReason::kLength);
  EXPECT_EQ(last_.tokens.size(), 1u);
  engine_->hear = nullptr;
  EXPECT_EQ(brackets_.open, 0);
}

TEST_F(RuledClientTest, BackRuleThatBlocksEndsTheChoiceInTheEngine) {
  auto client = Make({}, {&brackets_});
  client.Generate(Request("x"), Listen());
  engine_->Say("ab#c");
  EXPECT_EQ(text_, "ab");
  EXPECT_TRUE(last_.blocked);
  EXPECT_EQ(last_.finish, FinishReason::kStop);
  EXPECT_EQ(engine_->cancelled, std::vector<int32_t>{0});
  engine_->Say("", FinishReason::kCancelled);
  EXPECT_EQ(shown_.size(), 1u);
}

TEST_F(RuledClientTest, MayBeEndedByItsOwnEvents) {
  std::unique_ptr<RuledClient> client(new RuledClient(Make({}, {&brackets_})));
  client->Generate(Request("a"), [&](GenerateEvent event) {
    client.reset();
    last_ = std::move(event);
  });
  engine_->Say("a#b");
  EXPECT_EQ(client, nullptr);
  EXPECT_TRUE(last_.blocked);
}

TEST_F(RuledClientTest, LearnsWholeAnswersOfEqualRequests) {
  auto client = Make({&memory_}, {});
  client.Generate(Request("x"), Listen());
  engine_->Say("cut", FinishReason::kLength);
  EXPECT_TRUE(memory_.learnt.empty());
  client.Generate(Request("x"), Listen());
  engine_->Say("who");
  engine_->Say("le", FinishReason::kStop);
  EXPECT_EQ(engine_->asked, 2u);
  text_.clear();
  client.Generate(Request("x"), Listen());
  EXPECT_EQ(engine_->asked, 2u);
  EXPECT_EQ(text_, "whole");
  GenerateRequest other = Request("x");
  other.cache_salt = 7;
  client.Generate(other, Listen());
  client.Generate(Request("x", 2), Listen());
  EXPECT_EQ(engine_->asked, 4u);
}

TEST_F(RuledClientTest, LogprobsAreRefusedWhereTheyWouldShowWhatIsHidden) {
  auto client = Make({&memory_}, {&brackets_});
  GenerateRequest request = Request("hi");
  request.logprobs = 1;
  client.Generate(request, Listen());
  EXPECT_EQ(last_.finish, FinishReason::kError);
  EXPECT_EQ(last_.status, Status::kUnsupported);
  EXPECT_EQ(engine_->asked, 0u);
}

}  // namespace
}  // namespace tenon::apps
