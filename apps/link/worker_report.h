// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// What a worker tells its parent through the pipe of WorkerOptions::report, besides a crash report.
namespace tenon::apps::link {

inline constexpr std::string_view kListening = "listening\n";  // the link's socket is there
inline constexpr std::string_view kFailed = "failed: ";  // and the error, up to the pipe's end

}  // namespace tenon::apps::link
