// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::apps {

// A third party's component: "acme.fast_path", and what its files and symbols are called.
struct PluginName {
  std::string vendor;     // "acme", the C++ namespace too
  std::string technique;  // "fast_path", the name of the files too

  std::string Full() const { return vendor + "." + technique; }
  std::string Target() const { return vendor + "_" + technique; }  // the .so, without suffix
  std::string ClassName() const;                                   // "FastPath"
};

// Reads "vendor.technique": each a lower_case word of at most 40 characters, the vendor neither
// this project's nor a word of C++. kInvalid says what is allowed.
Result<PluginName> ParsePluginName(std::string_view text);

}  // namespace tenon::apps
