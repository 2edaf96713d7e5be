// SPDX-License-Identifier: Apache-2.0
#include "apps/server/page.h"

#include "apps/engine/digest.h"
#include "apps/server/api_keys.h"

namespace tenon::apps::server {
namespace {

// Hashes of what stands inside each <tag …>…</tag>.
std::string Hashes(std::string_view page, const std::string& tag) {
  std::string out;
  size_t at = 0;
  while ((at = page.find("<" + tag, at)) != std::string_view::npos) {
    const size_t begin = page.find('>', at);
    const size_t end = page.find("</" + tag + ">", at);
    if (begin == std::string_view::npos || end == std::string_view::npos) break;
    out += " 'sha256-" + Base64(Sha256Of(page.substr(begin + 1, end - begin - 1))) + "'";
    at = end;
  }
  return out.empty() ? " 'none'" : out;
}

}  // namespace

std::string PagePolicy(std::string_view page) {
  return "default-src 'none'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
         "form-action 'none'; frame-ancestors 'none'; script-src" +
         Hashes(page, "script") + "; style-src" + Hashes(page, "style");
}

}  // namespace tenon::apps::server
