// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "apps/cli/command.h"
#include "core/plugins/report.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

struct ExplainArguments {
  SessionOptions session;
  bool json = false;
};

nlohmann::json Describe(const core::RegisteredComponent& component) {
  return {{"use", component.name},
          {"file", component.file},
          {"plugin", component.plugin->id},
          {"version", component.plugin->version}};
}

nlohmann::json ComponentsOf(const Session& session) {
  nlohmann::json out = nlohmann::json::object();
  for (uint32_t i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    if (family == Family::kDecoding) continue;
    const auto& choice = session.pipeline().Of(family);
    out[Name(family)] = Describe(*choice.component);
    out[Name(family)]["needs"] = core::CapabilityNames(session.Needs(family));
  }
  out[Name(Family::kDecoding)] = nlohmann::json::array();
  for (const auto& choice : session.pipeline().decoding) {
    out[Name(Family::kDecoding)].push_back(Describe(*choice.component));
  }
  return out;
}

nlohmann::json AdaptersOf(const Session& session) {
  nlohmann::json out = nlohmann::json::array();
  for (const Adapters::Named& adapter : session.adapters().All()) {
    out.push_back({{"name", adapter.name},
                   {"folder", adapter.folder},
                   {"rank", adapter.stored.Rank()},
                   {"targets", adapter.stored.Targets()},
                   {"matrices", adapter.stored.Matrices().size()},
                   {"bytes", adapter.stored.Bytes()}});
  }
  return out;
}

nlohmann::json Document(Session& session) {
  const core::ProgramMemory& memory = session.program().Memory();
  const ModelInfo& model = session.model().model->Info();
  nlohmann::json ops = nlohmann::json::array();
  for (const core::StepInfo& step : session.program().Steps()) {
    ops.push_back({{"name", step.name},
                   {"kind", step.kind},
                   {"component", step.component},
                   {"meet", step.meet_before}});
  }
  return {{"model",
           {{"name", model.name},
            {"architecture", model.architecture},
            {"path", session.model().path},
            {"parameters", model.parameters},
            {"vocabulary", model.vocabulary},
            {"hidden", model.hidden},
            {"layers", model.layers}}},
          {"pipeline", session.pipeline().text},
          {"notes", session.pipeline().notes},
          {"components", ComponentsOf(session)},
          {"adapters", AdaptersOf(session)},
          {"memory",
           {{"weights_bytes", memory.weights_bytes},
            {"kv_bytes", memory.kv_bytes},
            {"kv_bytes_per_token", memory.kv_token_bytes},
            {"page_tokens", memory.page_tokens},
            {"pages", memory.pages},
            {"context_tokens", session.program().Limits().max_context},
            {"arena_bytes", memory.arena_bytes},
            {"scratch_bytes", memory.scratch_bytes}}},
          {"meetings", session.program().Meetings()},
          {"ops", std::move(ops)}};
}

double Megabytes(const nlohmann::json& bytes) {
  return static_cast<double>(bytes.get<uint64_t>()) * 1e-6;
}

void PrintComponent(const std::string& family, const nlohmann::json& component) {
  fmt::print("  {:<10} {:<12} {} {}  {}\n", family, component["use"].get<std::string>(),
             component["plugin"].get<std::string>(), component["version"].get<std::string>(),
             component["file"].get<std::string>());
  if (component.contains("needs") && !component["needs"].empty()) {
    std::string needs;
    for (const auto& need : component["needs"])
      needs += (needs.empty() ? "" : ", ") + need.get<std::string>();
    fmt::print("  {:<10} needs, and understands: {}\n", "", needs);
  }
}

void PrintAdapters(const nlohmann::json& adapters) {
  if (!adapters.empty()) fmt::print("adapters:\n");
  for (const auto& adapter : adapters) {
    std::string targets;
    for (const auto& target : adapter["targets"]) {
      targets += (targets.empty() ? "" : ", ") + target.get<std::string>();
    }
    fmt::print("  {:<10} rank {}, {} matrices ({}), {:.1f} MB  {}\n",
               adapter["name"].get<std::string>(), adapter["rank"].get<int64_t>(),
               adapter["matrices"].get<size_t>(), targets, Megabytes(adapter["bytes"]),
               adapter["folder"].get<std::string>());
  }
}

void PrintText(const nlohmann::json& document) {
  const auto& model = document["model"];
  fmt::print("model {} ({}, {:.1f} M parameters, {} layers, vocabulary {})\n  {}\n\n",
             model["name"].get<std::string>(), model["architecture"].get<std::string>(),
             static_cast<double>(model["parameters"].get<uint64_t>()) * 1e-6,
             model["layers"].get<int32_t>(), model["vocabulary"].get<int32_t>(),
             model["path"].get<std::string>());
  fmt::print("pipeline, resolved:\n{}\n", document["pipeline"].get<std::string>());
  for (const auto& note : document["notes"]) fmt::print("note: {}\n", note.get<std::string>());
  fmt::print("components:\n");
  for (const auto& [family, component] : document["components"].items()) {
    if (!component.is_array()) {
      PrintComponent(family, component);
      continue;
    }
    for (const auto& link : component) PrintComponent(family, link);
  }
  PrintAdapters(document["adapters"]);
  const auto& memory = document["memory"];
  fmt::print(
      "\nmemory: weights {:.1f} MB, KV {:.1f} MB ({} pages of {} tokens, {} bytes a token, context "
      "{}), "
      "activations {:.1f} MB, scratch {:.1f} MB\n",
      Megabytes(memory["weights_bytes"]), Megabytes(memory["kv_bytes"]),
      memory["pages"].get<int32_t>(), memory["page_tokens"].get<int32_t>(),
      memory["kv_bytes_per_token"].get<uint64_t>(), memory["context_tokens"].get<int32_t>(),
      Megabytes(memory["arena_bytes"]), Megabytes(memory["scratch_bytes"]));
  fmt::print("\nprogram: {} ops, {} meetings of the lanes (|)\n", document["ops"].size(),
             document["meetings"].get<int32_t>());
  for (const auto& op : document["ops"]) {
    fmt::print("  {} {:<32} {:<12} {}\n", op["meet"].get<bool>() ? '|' : ' ',
               op["name"].get<std::string>(), op["kind"].get<std::string>(),
               op["component"].get<std::string>());
  }
}

int Explain(const ExplainArguments& arguments) {
  auto session = Session::Open(arguments.session);
  if (!session.ok()) return Report(session.error());
  const nlohmann::json document = Document(**session);
  if (arguments.json) {
    fmt::print("{}\n", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    PrintText(document);
  }
  return kSuccess;
}

}  // namespace

void AddExplain(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ExplainArguments>();
  CLI::App* command =
      app.add_subcommand("explain", "what a pipeline resolves to: components, needs, ops, memory");
  AddPipelineArguments(*command, arguments->session);
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, &exit_code] {
    arguments->session.purpose = Purpose::kExplain;
    arguments->session.progress = isatty(STDERR_FILENO) != 0;
    exit_code = Explain(*arguments);
  });
}

}  // namespace tenon::apps
