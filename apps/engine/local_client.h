// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "apps/assemble/embedding_session.h"
#include "apps/engine/engine_client.h"

namespace tenon::apps {

// The engine in this process, on a thread of its own. Ending it cancels what runs.
std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<Session> session);
std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<EmbeddingSession> session);

}  // namespace tenon::apps
