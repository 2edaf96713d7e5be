// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "apps/assemble/embedding_session.h"
#include "apps/engine/engine_client.h"

namespace tenon::apps {

// The engine in this process, on a thread of its own. Ending it cancels what runs; any thread may
// (RunOnThread). `after_step`, if any, is called on that thread when a step's events have been
// told.
std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<Session> session,
                                              std::function<void()> after_step = {});
std::unique_ptr<EngineClient> MakeLocalClient(std::unique_ptr<EmbeddingSession> session,
                                              std::function<void()> after_step = {});

}  // namespace tenon::apps
