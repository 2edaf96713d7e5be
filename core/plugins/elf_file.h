// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tenon::core {

// Why `file` is no complete shared object for this machine; "" where it seems to be one. The
// dynamic loader maps a file by what its header says: one that was cut off kills the process with
// SIGBUS, and of one for another machine it says that the file is not there.
std::string CheckElfFile(const std::string& file);

// The description of the first note of that owner and type in `file`, read without loading it; none
// where there is no such note, or no whole one. REQUIRES: CheckElfFile(file) is "".
std::optional<std::string> ReadElfNote(const std::string& file, std::string_view owner,
                                       uint32_t type);

}  // namespace tenon::core
