// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/plugins/refusal.h"

namespace tenon::core {

// Why a plugin's file is not even to be opened, by its note (tenon/plugin_note.h); none where it
// may be, or has no note. TN103 another ABI, TN105 an instruction set that this processor lacks,
// TN110 a note that is cut off. REQUIRES: CheckElfFile(file) is "".
std::optional<Refusal> CheckPluginNote(const std::string& file);

// The plugin's id by its file's note, "" where the note names none; none where `file` has no note
// or is no shared object. Nothing is loaded.
std::optional<std::string> ReadPluginId(const std::string& file);

// Why a plugin's file cannot work here by the CUDA major of its note: TN105 where `driver` (see
// CudaDriverMajor) is older, or 0. Same requirement.
std::optional<Refusal> CheckPluginCuda(const std::string& file, int32_t (*driver)());

// The major of the newest CUDA that this machine's driver knows; 0 without a driver. Loads
// libcuda.so.1, once.
int32_t CudaDriverMajor();

}  // namespace tenon::core
