// SPDX-License-Identifier: Apache-2.0
#include "apps/server/exchange.h"

namespace tenon::apps::server {

Response ErrorResponse(const openai::ApiError& error) {
  Response response{error.status, error.Json()};
  if (error.retry_after_s > 0) {
    response.fields.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  }
  return response;
}

openai::ApiError MakeError(int status, std::string message, std::string code) {
  openai::ApiError error;
  error.status = status;
  error.message = std::move(message);
  error.code = std::move(code);
  if (status >= 500) error.type = "server_error";
  if (status == 401) error.type = "authentication_error";
  if (status == 403) error.type = "permission_error";
  if (status == 429) error.type = "rate_limit_error";
  return error;
}

}  // namespace tenon::apps::server
