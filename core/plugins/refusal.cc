// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/refusal.h"

namespace tenon::core {

std::string Refusal::Text() const {
  return (code.empty() ? "" : code + " ") + cause + (cure.empty() ? "" : ". " + cure);
}

Error Refusal::ToError() const {
  return {Status::kUnsupported, cause + (cure.empty() ? "" : ". " + cure), code};
}

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace tenon::core
