// SPDX-License-Identifier: Apache-2.0
#include "apps/server/call_watch.h"

#include <algorithm>

namespace tenon::apps::server {

void CallWatch::OnDone(const openai::CallRecord& record) {
  metrics_.OnDone(record);
  if (trace_ != nullptr) trace_->OnDone(record);
  log_.Info("call", {{"id", record.request_id},
                     {"model", record.status == 404 ? "unknown" : record.model},
                     {"finished", record.finished},
                     {"status", record.status},
                     {"choices", record.choices},
                     {"prompt_tokens", record.prompt_tokens},
                     {"cached_tokens", record.cached_tokens},
                     {"output_tokens", record.output_tokens},
                     {"queue_ms", record.queue_s},
                     {"first_token_ms", record.first_token_s},
                     {"per_token_ms", record.per_token_s},
                     {"ms", record.all_s}});
}

void CallWatch::OnUnknownField(std::string_view field) {
  // Names are the client's: only those that look like fields of an API are told.
  const bool plain = field.size() <= 40 && std::all_of(field.begin(), field.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || c == '_';
                     });
  log_.Info("unknown_field", {{"field", plain ? field : std::string_view("(odd)")}});
}

}  // namespace tenon::apps::server
