// SPDX-License-Identifier: Apache-2.0
#include "apps/server/model_entry.h"

#include "nlohmann/json.hpp"

namespace tenon::apps::server {

std::string ModelEntry(std::string_view models_json, std::string_view id) {
  const nlohmann::json list = nlohmann::json::parse(models_json, nullptr, false);
  if (!list.is_object() || !list.contains("data") || !list["data"].is_array()) return "";
  for (const nlohmann::json& model : list["data"]) {
    if (model.is_object() && model.contains("id") && model["id"] == id) {
      return model.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
  }
  return "";
}

}  // namespace tenon::apps::server
