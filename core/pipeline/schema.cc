// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/schema.h"

#include <nlohmann/json.hpp>

#include "core/pipeline/pipeline.h"
#include "core/plugins/option_text.h"

namespace tenon::core {
namespace {

using Json = nlohmann::ordered_json;

// Any value may be a variable of the environment.
Json Variable() { return {{"type", "string"}, {"pattern", "\\$\\{"}}; }

Json NumberSchema(const OptionInfo& option) {
  Json number{{"type", option.type == OptionType::kInt ? "integer" : "number"}};
  if (option.minimum != option.maximum) {
    number["minimum"] = option.minimum;
    number["maximum"] = option.maximum;
  }
  return {{"anyOf", {number, {{"const", "auto"}}, Variable()}}};
}

Json OptionSchema(const OptionInfo& option) {
  Json schema;
  switch (option.type) {
    case OptionType::kBool:
      schema["anyOf"] = {{{"type", "boolean"}}, Variable()};
      break;
    case OptionType::kInt:
    case OptionType::kFloat:
      schema = NumberSchema(option);
      break;
    case OptionType::kString: {
      const auto choices = Choices(option);
      if (choices.empty()) {
        schema["type"] = {"string", "number", "boolean"};
      } else {
        schema["anyOf"] = {{{"enum", choices}}, Variable()};
      }
      break;
    }
  }
  schema["default"] = option.default_text;
  schema["description"] = std::string(option.doc) + " Allowed: " + Allowed(option) + ".";
  return schema;
}

Json Properties(Span<const OptionInfo> options) {
  Json properties = Json::object();
  for (const OptionInfo& option : options) properties[option.name] = OptionSchema(option);
  return properties;
}

Json ComponentSchema(const RegisteredComponent& component) {
  Json properties{{"use", {{"const", component.name}}}};
  properties.update(Properties({component.info->options, component.info->option_count}));
  return {{"type", "object"},    {"title", component.name},  {"description", component.info->doc},
          {"required", {"use"}}, {"properties", properties}, {"additionalProperties", false}};
}

// One component by its name, or a mapping of it and its options. Without `use` the mapping may have
// the options of any component: in an overlay another file says which it is.
Json FamilySchema(Registry& registry, Family family) {
  Json names = Json::array();
  Json alternatives = Json::array();
  Json any = Json::object();
  for (const RegisteredComponent* component : registry.Usable(family)) {
    names.push_back(component->name);
    alternatives.push_back(ComponentSchema(*component));
    for (uint32_t i = 0; i < component->info->option_count; ++i) {
      any[component->info->options[i].name] = true;
    }
  }
  if (names.empty()) return Json::object();
  alternatives.push_back({{"enum", names}});
  alternatives.push_back(Variable());
  if (family != Family::kDecoding) {
    alternatives.push_back(
        {{"type", {"object", "null"}}, {"properties", any}, {"additionalProperties", false}});
  }
  return {{"anyOf", alternatives}};
}

Json SectionSchema(Span<const OptionInfo> options) {
  return {{"type", "object"}, {"properties", Properties(options)}, {"additionalProperties", false}};
}

Json PluginsSchema() {
  const Json file{{"type", "string"}};
  return {{"type", "array"},
          {"items",
           {{"anyOf",
             {file,
              {{"type", "object"},
               {"required", {"path"}},
               {"properties", {{"path", file}, {"as", file}}},
               {"additionalProperties", false}}}}}}};
}

}  // namespace

std::string PipelineSchema(Registry& registry) {
  Json properties{
      {"model",
       {{"type", "string"}, {"description", "A known name, a .gguf file or a model's folder."}}},
      {"extends", {{"type", "string"}, {"description", "A pipeline that this one overlays."}}},
      {"plugins", PluginsSchema()},
      {"adapters", {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}}},
      {"memory", SectionSchema(MemoryOptions())},
      {"serve", SectionSchema(ServeOptions())}};
  for (uint32_t i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    Json schema = FamilySchema(registry, family);
    if (family == Family::kDecoding) schema = {{"type", "array"}, {"items", schema}};
    properties[tenon::Name(family)] = schema;
  }
  const Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                  {"title", "Tenon pipeline"},
                  {"type", "object"},
                  {"properties", properties},
                  {"additionalProperties", false}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tenon::core
