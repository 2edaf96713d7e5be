// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "text/chat_template.h"
#include "text/jinja/parser.h"
#include "text/testing/vocabularies.h"

// Against what Python's jinja2 makes of the same templates; see tests/data/chat_templates.
namespace tenon::text::jinja {
namespace {

using Json = nlohmann::ordered_json;

constexpr LocalTime kNow = {2024, 7, 6, 9, 5, 3, 42};

std::string DataPath(const std::string& name) {
  return std::string(TENON_SOURCE_DIR) + "/tests/data/chat_templates/" + name;
}

Json ReadJson(const std::string& name) { return Json::parse(testing::ReadFile(DataPath(name))); }

Value ToValue(const Json& json) {
  auto value = ParseJson(json.dump());
  return value.ok() ? *value : Value::String(value.error().message);
}

TEST(Jinja, RendersSnippetsAsJinja2Does) {
  const Json document = ReadJson("snippets.json");
  Variables variables;
  for (const auto& [name, value] : document["variables"].items()) {
    variables.emplace_back(name, ToValue(value));
  }
  ASSERT_GT(document["cases"].size(), 2000u);
  for (const auto& item : document["cases"]) {
    const std::string source = item["t"];
    const auto body = Parse(source);
    const auto text = body.ok() ? Render(*body, variables, {}, kNow) : body.error();
    if (item["o"].is_null()) {
      EXPECT_FALSE(text.ok()) << source << "\ngives " << *text << "\nwhere jinja2 raises";
    } else {
      EXPECT_EQ(text.ok() ? *text : text.error().message, item["o"].get<std::string>()) << source;
    }
  }
}

ChatOptions OptionsOf(const Json& conversation) {
  ChatOptions options;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  options.now = kNow;
  for (const auto& [name, value] : conversation.items()) {
    if (name == "tools") {
      options.tools = ToValue(value);
    } else if (name == "documents") {
      options.documents = ToValue(value);
    } else if (name == "add_generation_prompt") {
      options.add_generation_prompt = value.get<bool>();
    } else if (name != "name" && name != "messages") {
      options.variables.emplace_back(name, ToValue(value));
    }
  }
  return options;
}

TEST(ChatTemplate, RendersModelFamiliesAsTransformersDoes) {
  const Json conversations = ReadJson("conversations.json"), expected = ReadJson("expected.json");
  ASSERT_GE(expected.size(), 10u);
  for (const auto& [family, renderings] : expected.items()) {
    const auto chat = ChatTemplate::Parse(testing::ReadFile(DataPath(family + ".jinja")));
    ASSERT_TRUE(chat.ok()) << family << ": " << chat.error().message;
    for (const Json& conversation : conversations) {
      const std::string name = conversation["name"];
      const auto text = chat->Render(ToValue(conversation["messages"]), OptionsOf(conversation));
      const Json& wanted = renderings[name];
      if (wanted.contains("raises")) {
        EXPECT_FALSE(text.ok()) << family << ", " << name << "\ngives " << *text;
      } else {
        EXPECT_EQ(text.ok() ? *text : text.error().message, wanted["text"].get<std::string>())
            << family << ", " << name;
      }
    }
  }
}

}  // namespace
}  // namespace tenon::text::jinja
