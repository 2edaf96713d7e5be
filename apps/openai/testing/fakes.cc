// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/testing/fakes.h"

#include <utility>

#include "text/testing/vocabularies.h"

namespace tenon::apps::openai::testing {
namespace {

constexpr const char* kTemplate =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + "
    "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

}  // namespace

std::shared_ptr<const ModelText> ByteText() {
  text::Vocabulary vocabulary = text::testing::ByteVocabulary({{"\x01", "\x02"}});
  vocabulary.tokens.emplace_back("<|im_start|>");
  vocabulary.types.push_back(text::TokenType::kControl);
  vocabulary.scores.push_back(0);
  vocabulary.chat_template = kTemplate;
  auto tokenizer = text::Tokenizer::Make(std::move(vocabulary));
  TENON_CHECK(tokenizer.ok());
  auto chat = text::ChatTemplate::Parse(kTemplate);
  TENON_CHECK(chat.ok());
  return std::shared_ptr<const ModelText>(
      new ModelText{*std::move(tokenizer), *std::move(chat), {kImEnd}});
}

uint64_t ScriptedEngine::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  started.push_back({std::move(request), std::move(on_event)});
  const size_t index = started.size() - 1;
  if (answers_at_once) {
    for (int32_t choice = 0; choice < started[index].request.n; ++choice) {
      Say(index, "ok", core::FinishReason::kLength, choice);
    }
    started[index].on_event = nullptr;
  }
  return index + 1;
}

void ScriptedEngine::Cancel(uint64_t request, int32_t choice) {
  cancelled.push_back({request, choice});
}

void ScriptedEngine::Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) {
  std::vector<std::vector<float>> vectors;
  for (const std::vector<int32_t>& ids : texts) {
    vectors.push_back({static_cast<float>(ids.size()), -0.5f, 1e-10f});
    embedded.push_back(ids);
  }
  done(std::move(vectors));
}

void ScriptedEngine::Say(size_t index, std::string_view text, core::FinishReason finish,
                         int32_t choice) {
  GenerateEvent event;
  event.choice = choice;
  event.finish = finish;
  for (const char c : text) event.tokens.push_back({static_cast<uint8_t>(c), -0.25f, {}});
  Send(index, std::move(event));
}

void ScriptedEngine::Send(size_t index, GenerateEvent event) {
  const OnGenerateEvent hear = started.at(index).on_event;
  hear(std::move(event));
}

OneModel::OneModel(std::shared_ptr<ScriptedEngine> engine, std::shared_ptr<const ModelText> text) {
  auto model = std::make_shared<ServedModel>();
  model->name = engine->facts.generates ? "bytes" : "vectors";
  model->created = 1700000000;
  model->facts = engine->facts;
  model->text = std::move(text);
  model->engine = std::move(engine);
  model_ = std::move(model);
}

Result<NamedModel> OneModel::Find(const std::string& name, const std::string&) const {
  if (name == model_->name) return NamedModel{model_, {}};
  if (name == "poet" && model_->facts.generates) return NamedModel{model_, "poet"};
  return Error{Status::kNotFound, "model \"" + name + "\" is not served; " + model_->name + " is"};
}

World::World(const AdmissionLimits& limits, const RequestCaps& caps)
    : models([this] {
        engine->facts.max_context = 512;
        engine->facts.vocabulary = 261;
        engine->facts.adapters = {"poet"};
        return engine;
      }()),
      api(MakeApi(models, observer, limits, caps)) {}

std::shared_ptr<MemorySink> World::Ask(Endpoint endpoint, const std::string& body) {
  auto sink = std::make_shared<MemorySink>();
  call = api->Start(endpoint, body, {"r1", "tenant"}, sink);
  return sink;
}

std::shared_ptr<MemorySink> World::Chat(const std::string& more) {
  return Ask(Endpoint::kChat, R"({"messages":[{"role":"user","content":"hi"}])" +
                                  (more.empty() ? "" : "," + more) + "}");
}

std::shared_ptr<MemorySink> World::Completion(const std::string& more) {
  return Ask(Endpoint::kCompletions, R"({"prompt":"hi")" + (more.empty() ? "" : "," + more) + "}");
}

}  // namespace tenon::apps::openai::testing
