// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "apps/link/public.pb.h"
#include "apps/openai/api.h"

// Between public.proto's messages and the API's JSON texts.
namespace tenon::apps::link {

struct ApiRequest {
  openai::Endpoint endpoint = openai::Endpoint::kCompletions;
  std::string body;
};

// The request as HTTP would bring it, streamed and with usage. kInvalid where it has not exactly
// one of prompt, prompt_ids and messages, or where more_json is no object or names a field again.
Result<ApiRequest> BodyOf(const tenon::v1::GenerateRequest& request);
Result<ApiRequest> BodyOf(const tenon::v1::EmbedRequest& request);

// A chunk of a stream; kInternal where it is none.
Result<tenon::v1::GenerateChunk> ChunkOf(const std::string& json);
// The whole answer.
Result<tenon::v1::EmbedReply> ReplyOf(const std::string& json);

}  // namespace tenon::apps::link
