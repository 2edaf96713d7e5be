// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "text/jinja/parser.h"
#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

using ::testing::HasSubstr;

// The text, or the error's message.
std::string Rendered(std::string_view source, const ChatOptions& options = {},
                     std::span<const ChatMessage> messages = {}) {
  const auto parsed = ChatTemplate::Parse(source);
  if (!parsed.ok()) return parsed.error().message;
  const auto text = parsed->Render(messages, options);
  return text.ok() ? *text : text.error().message;
}

TEST(ChatTemplate, RendersSmollm2AsTheReferenceDoes) {
  const auto document = nlohmann::json::parse(
      testing::ReadFile(std::string(TENON_SOURCE_DIR) + "/tests/data/text/smollm2-chat.json"));
  const ChatTemplate chat = *ChatTemplate::Parse(document["chat_template"].get<std::string>());
  ASSERT_EQ(document["cases"].size(), 3u);
  for (const auto& item : document["cases"]) {
    const auto messages = jinja::ParseJson(item["messages"].dump());
    ASSERT_TRUE(messages.ok());
    EXPECT_EQ(*chat.Render(*messages), item["prompt"].get<std::string>());
    std::vector<ChatMessage> plain;
    for (const auto& m : item["messages"]) plain.push_back({m["role"], m["content"]});
    EXPECT_EQ(*chat.Render(plain), item["prompt"].get<std::string>());
  }
}

// Templates with the output that Python's jinja2 3.1 gives for them, set up as Hugging Face does.
TEST(ChatTemplate, AgreesWithJinja2) {
  const auto document = nlohmann::ordered_json::parse(
      testing::ReadFile(std::string(TENON_SOURCE_DIR) + "/tests/data/text/jinja-cases.json"));
  jinja::Variables variables;
  for (const auto& [name, value] : document["variables"].items()) {
    variables.emplace_back(name, *jinja::ParseJson(value.dump()));
  }
  ASSERT_GT(document["cases"].size(), 90u);
  for (const auto& item : document["cases"]) {
    const std::string source = item["template"];
    const auto body = jinja::Parse(source);
    const auto text =
        body.ok() ? jinja::Render(*body, variables, {}) : Result<std::string>(body.error());
    if (item.contains("output")) {
      EXPECT_EQ(text.ok() ? *text : text.error().message, item["output"].get<std::string>())
          << source;
    } else {
      EXPECT_EQ(text.ok() ? *text : text.error().message, item["error"].get<std::string>())
          << source;
    }
  }
}

TEST(ChatTemplate, PassesItsOptions) {
  EXPECT_EQ(Rendered("{{ bos_token }}|{{ eos_token }}|{{ add_generation_prompt }}|{{ x }}",
                     {.add_generation_prompt = false,
                      .bos_token = "<s>",
                      .eos_token = "</s>",
                      .variables = {{"x", jinja::Value::Int(7)}}}),
            "<s>|</s>|False|7");
}

TEST(ChatTemplate, GivesNoneForToolsAndDocumentsThatAreNotThere) {
  EXPECT_EQ(Rendered("{{ tools }}|{{ documents }}|{{ tools is defined }}|{{ nope is defined }}"),
            "None|None|True|False");
  ChatOptions options;
  options.tools = *jinja::ParseJson(R"([{"name": "f"}])");
  options.documents = *jinja::ParseJson(R"([{"title": "t"}])");
  EXPECT_EQ(Rendered("{{ tools[0].name }}{{ documents[0].title }}", options), "ft");
}

TEST(ChatTemplate, TellsTheTimeItIsGiven) {
  ChatOptions options;
  options.now = jinja::LocalTime{2025, 12, 29, 13, 4, 59, 7};
  EXPECT_EQ(Rendered("{{ strftime_now('%d %b %Y, %I:%M %p, week %V of %G, %f') }}", options),
            "29 Dec 2025, 01:04 PM, week 01 of 2026, 000007");
  const std::string today = Rendered("{{ strftime_now('%Y') }}");
  EXPECT_GE(std::stoi(today), 2024) << "without a clock, this machine's";
}

TEST(ChatTemplate, RefusesOtherTemplates) {
  for (const std::string tag :
       {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'"}) {
    EXPECT_THAT(
        Rendered("\n{% " + tag + " %}"),
        HasSubstr("line 2: \"" + tag.substr(0, tag.find(' ')) + "\" needs other templates"));
  }
}

TEST(ChatTemplate, NamesTheLineOfAnError) {
  EXPECT_EQ(Rendered("a\nb\n{{ 1 / 0 }}"), "chat template, line 3: division by zero");
  EXPECT_EQ(Rendered("\n{% if %}"), "chat template, line 2: an expression is missing here");
  EXPECT_EQ(Rendered("\n\n{{ raise_exception('no system role') }}"),
            "chat template, line 3: no system role");
  EXPECT_EQ(Rendered("{{ a.b }}"), "chat template, line 1: \"a\" is undefined, so it has no \"b\"");
  EXPECT_EQ(Rendered("{{ 'x' | nope }}"),
            "chat template, line 1: there is no filter named \"nope\"");
}

TEST(ChatTemplate, StopsAtItsBudgets) {
  EXPECT_THAT(
      Rendered("{% for i in range(1000) %}{% for j in range(1000) %}x{% endfor %}{% endfor %}"),
      HasSubstr("more than 1000000 operations"));
  EXPECT_THAT(Rendered("{% for i in range(10000) %}{{ 'x' * 1000 }}{% endfor %}"),
              HasSubstr("output exceeds"));
  EXPECT_THAT(Rendered("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
              HasSubstr("nests more than"));
  EXPECT_THAT(Rendered("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}"),
              HasSubstr("nested more than 100 deep"));
  EXPECT_THAT(Rendered("{% set ns = namespace(l=[]) %}{% for i in range(200) %}{% set ns.l = "
                       "[ns.l] %}{% endfor %}"),
              HasSubstr("nested more than 100 deep"));
  EXPECT_THAT(Rendered("{{ 'a' * 9000000 }}"), HasSubstr("too long"));
  EXPECT_THAT(Rendered(std::string(jinja::kMaxSourceBytes + 1, 'x')),
              HasSubstr("at most 1048576 allowed"));
}

TEST(ChatTemplate, EndsHostileTemplatesOnASmallStack) {
  const auto work = [](void*) {
    std::string chain = "{{ 1",
                doubled = "{% set ns = namespace(s='x', l=[1]) %}{% for i in range(90) %}";
    for (int i = 0; i < 20000; ++i) chain += " + 1";
    doubled += "{% set ns.s = ns.s + ns.s %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}";
    const std::string open(20000, '['), nots = "{{ not not not not not not not ";
    for (const std::string& source :
         {doubled, "{{ " + open, "{{ x" + open, "{{ {1:" + open, nots + nots, std::string(100, '{'),
          "{% if 1 %}" + std::string("{% if 1 %}").append(std::string(2000, ' ')),
          std::string("{% set ns = namespace() %}{% set ns.a = ns %}{{ [ns] | tojson }}"),
          std::string("{% set a = 'a' * 4000000 %}{{ ('a' * 2000000 + 'b') in a }}"),
          std::string("{{ ('a' * 4000000).replace('a', 'b' * 8000000) }}"),
          std::string("{% for i in range(9) %}{% set x = loop %}{% endfor %}{{ x.index.y }}")}) {
      EXPECT_THAT(Rendered(source), ::testing::StartsWith("chat template, line "))
          << source.substr(0, 80);
    }
    EXPECT_EQ(Rendered(chain + " }}"), "20001");
    std::string deep = "{{ 1 }}";
    for (int i = 0; i < 90; ++i) deep = "{% if true %}" + deep + "{% endif %}";
    EXPECT_EQ(Rendered(deep), "1");
  };
  testing::OnSmallStack(work, nullptr);
  SUCCEED();
}

TEST(ChatTemplate, FreesNamespacesThatHoldOneAnother) {
  EXPECT_EQ(Rendered("{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = [b] %}"
                     "{% set a.self = a %}{{ a.b[0].a.self is defined }}"),
            "True");
}

TEST(ChatTemplate, KeepsContentThatIsNotUtf8) {
  const std::vector<ChatMessage> messages = {{"user", "a\xFF\xE2\x82z"}};
  EXPECT_EQ(
      Rendered("{{ messages[0].content|trim }}{{ messages[0].content|length }}", {}, messages),
      "a\xFF\xE2\x82z4");
}

TEST(ChatTemplate, RendersInManyThreads) {
  const ChatTemplate chat = *ChatTemplate::Parse(
      "{% macro m(x) %}<{{ x }}>{% endmacro %}{% for m_ in messages %}{{ m(m_.content) }}{% endfor "
      "%}");
  const std::vector<ChatMessage> messages = {{"user", "a"}, {"assistant", "b"}};
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 100; ++round) same[i] += *chat.Render(messages) == "<a><b>";
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(same, ::testing::Each(100));
}

TEST(Json, ReadsARequestInOrder) {
  const auto value =
      jinja::ParseJson(R"({"b": [1, 2.5, null, true, "é"], "a": {"x": 18446744073709551615}})");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(Rendered("{{ v|tojson }}", {.variables = {{"v", *value}}}),
            R"({"b": [1, 2.5, null, true, "é"], "a": {"x": 1.8446744073709552e+19}})");
}

TEST(Json, RefusesWhatIsDamagedOrDeep) {
  EXPECT_THAT(jinja::ParseJson("{\"a\": }").error().message, HasSubstr("malformed near byte"));
  EXPECT_THAT(jinja::ParseJson("").error().message, HasSubstr("malformed"));
  EXPECT_THAT(jinja::ParseJson(std::string(100000, '[')).error().message,
              HasSubstr("nested more than 100 deep"));
}

}  // namespace
}  // namespace tenon::text
