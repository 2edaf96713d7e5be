// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/api.h"
#include "nlohmann/json.hpp"

namespace tenon::apps::openai {

std::string ApiError::Json() const {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
  };
  const nlohmann::json body = {
      {"error",
       {{"message", message}, {"type", type}, {"param", or_null(param)}, {"code", or_null(code)}}}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace tenon::apps::openai
