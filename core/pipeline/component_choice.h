// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/pipeline.h"
#include "core/pipeline/yaml_tree.h"

// From one mapping of the tree to a component with its options.
namespace tenon::core {

// Reads the entries of `map` (null: none) as options of the table; `skip` is a key that is none.
// Inherited entries that the table lacks are dropped and listed in `dropped`. `owner` stands in
// messages. Nothing where one is wrong.
std::optional<OptionSet> ReadOptions(Span<const OptionInfo> infos, const std::string& owner,
                                     const YamlNode* map, const std::string& skip,
                                     std::vector<std::string>* dropped, Diagnostics& diagnostics);

// Finds the component that `map` (shaped by NormaliseFamily) uses, or the family's default where
// it names none, and reads its options. What was dropped or kept is added to `notes`. Nothing where
// something is wrong.
std::optional<ComponentChoice> ChooseComponent(Family family, const YamlNode& map,
                                               Registry& registry, std::vector<std::string>* notes,
                                               Diagnostics& diagnostics);

// The default with its default options.
ComponentChoice DefaultChoice(const RegisteredComponent& component, const std::string& where);

// `there is no usable quant component to default to; …`
std::string NoDefault(Family family);

}  // namespace tenon::core
