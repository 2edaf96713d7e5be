// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "apps/assemble/open_model.h"
#include "core/engine/offload_store.h"
#include "core/pipeline/pipeline.h"
#include "core/program/program.h"
#include "tenon/device.h"

namespace tenon::apps {

// The store that `memory.offload` asks for; null where it asks for none, or is `auto` and pages
// cannot be kept. A folder that another model, pipeline or version used before is used anew.
// `keeps_pages`: there is a prefix cache, which is what is offloaded. kUnsupported: a folder is
// named and there is none. kIo: the folder is of no use.
Result<std::unique_ptr<core::OffloadStore>> OpenOffload(const core::Pipeline& pipeline,
                                                        const OpenedModel& model,
                                                        const core::Program& program,
                                                        const Device& device, bool keeps_pages);

}  // namespace tenon::apps
