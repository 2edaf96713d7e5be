// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/openai/fields.h"
#include "apps/openai/served_model.h"

namespace tenon::apps::openai {

// The ids of a conversation: `messages` and `chat_template_kwargs` of a request, as the model's
// chat template writes them. Control tokens are the template's own alone: those in what a client
// wrote are spelled out as text. What is wrong is in `fields`. Parts of a content are joined by
// newlines; arguments of earlier tool calls, which clients send as JSON in a string, are parsed.
std::vector<int32_t> ReadChatPrompt(Fields& fields, const ModelText& text,
                                    bool add_generation_prompt, const RequestCaps& caps);

// The text of the last message of a user; empty where there is none.
std::string LastUserText(Fields& fields);

}  // namespace tenon::apps::openai
