// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tenon::core {

// Why `file` is no complete shared object for this machine; "" where it seems to be one. The
// dynamic loader maps a file by what its header says: one that was cut off kills the process with
// SIGBUS, and of one for another machine it says that the file is not there.
std::string CheckElfFile(const std::string& file);

}  // namespace tenon::core
