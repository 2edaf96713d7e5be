// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/engine/engine_client.h"
#include "apps/engine/engine_identity.h"
#include "apps/openai/control_tokens.h"
#include "tenon/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tenon::apps::openai {

// A model's texts, as its files say. Immutable.
struct ModelText {
  text::Tokenizer tokenizer;
  std::optional<text::ChatTemplate> chat_template;
  std::vector<int32_t> end_of_generation;  // ids that end a text
  ControlTokens controls{tokenizer};       // what client texts must not forge
};

// What a `model` field can name. Immutable; a reload makes another.
struct ServedModel {
  std::string name;
  int64_t created = 0;  // Unix time, seconds
  EngineFacts facts;
  EngineIdentity identity;  // empty where nobody asked for it
  std::shared_ptr<const ModelText> text;
  std::shared_ptr<EngineClient> engine;
};

// A model, or an adapter of one.
struct NamedModel {
  std::shared_ptr<const ServedModel> model;
  std::string adapter;  // empty: the model itself
};

// Who serves what now. Thread: any.
class ModelDirectory {
 public:
  virtual ~ModelDirectory() = default;

  // In the order of the command line; empty while nothing is loaded yet.
  virtual std::vector<std::shared_ptr<const ServedModel>> Models() const = 0;

  // `sticky` (a user or request id, may be empty) keeps a share of traffic on one of several
  // pipelines. kNotFound lists the names that there are; kIo: none is loaded yet.
  virtual Result<NamedModel> Find(const std::string& name, const std::string& sticky) const = 0;
};

}  // namespace tenon::apps::openai
