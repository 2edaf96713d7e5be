// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/plugins/registry.h"

namespace tenon::core {

// A JSON Schema (draft 2020-12) of pipelines for editors, made from the option tables of the
// registry's usable components. Ends with a newline.
std::string PipelineSchema(Registry& registry);

}  // namespace tenon::core
