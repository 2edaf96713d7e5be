// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon {

// What a function at the plugin boundary returns. The text of a failure goes to the host first
// (Host::Fail), so that this stays a plain integer that any compiler passes alike.
enum class [[nodiscard]] Status : int32_t{
    kOk = 0,
    kInvalid = 1,      // the caller gave something wrong: a file, an option, a request
    kUnsupported = 2,  // well formed, but this component cannot do it
    kOutOfMemory = 3,  // memory or KV blocks are not there
    kNotFound = 4,     // a file, a name, a symbol is missing
    kIo = 5,           // the operating system refused to read or write
    kCancelled = 6,    // the user or the caller asked to stop
    kInternal = 7,     // a broken invariant: a bug in Tenon or in a plugin
};

}  // namespace tenon
