// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace tenon::cpu {

// Makes a block of this process's memory one with a file's pages that hold the same bytes, so that
// processes whose blocks are equal keep one copy. A later write takes a private copy of its page.
// Files are named by size and hash, are compared byte by byte before they are used, and come whole
// or not at all; a folder in memory (tmpfs), of mode 0700, is meant. True where the block is shared
// now; false, and nothing has changed, where most of it was never touched, the folder has no room,
// or the system cannot give the file huge pages (Linux before 6.1): 4 KiB pages are read more
// slowly. `block` is mapped, begins at a multiple of 2 MiB, and nobody uses it meanwhile.
bool ShareBlock(const std::string& folder, void* block, uint64_t bytes);

}  // namespace tenon::cpu
