// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/engine/engine_client.h"
#include "apps/engine/engine_identity.h"
#include "apps/link/engine.pb.h"

// Between the engine client's values and engine.proto's messages. Reading trusts no number: what
// could not have come from a sound peer is kInvalid.
namespace tenon::apps::link {

inline constexpr uint32_t kProtocol = 1;
inline constexpr int kMaxMessageBytes = 64 << 20;  // either way
inline constexpr int32_t kMaxWorkers = 64;         // of one pipeline

void Write(uint64_t number, const GenerateRequest& request, v1::Start* out);
// Ids and the context's length are the engine's to check.
Result<GenerateRequest> Read(const v1::Start& message, const EngineFacts& facts);

void Write(uint64_t number, const std::vector<std::vector<int32_t>>& texts, v1::EmbedCall* out);
Result<std::vector<std::vector<int32_t>>> Read(const v1::EmbedCall& message);

void Write(uint64_t number, const Result<std::vector<std::vector<float>>>& vectors,
           v1::Embedded* out);
// `texts` and `columns`: how many vectors of what length are expected.
Result<std::vector<std::vector<float>>> Read(const v1::Embedded& message, size_t texts,
                                             int32_t columns);

// Adds a row.
void Append(uint64_t number, const GenerateEvent& event, v1::Step* out);
// Tells the rows in order; kInvalid, before any was told, where the columns do not fit together.
Result<void> Read(const v1::Step& message, const EngineFacts& facts,
                  const std::function<void(uint64_t number, GenerateEvent event)>& tell);

void Write(const EngineFacts& facts, v1::Hello* out);
Result<EngineFacts> Read(const v1::Hello& message);

void Write(const EngineIdentity& identity, v1::Hello* out);
Result<EngineIdentity> ReadIdentity(const v1::Hello& message);

void Write(const EngineState& state, v1::Heartbeat* out);
EngineState Read(const v1::Heartbeat& message);

}  // namespace tenon::apps::link
