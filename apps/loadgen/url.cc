// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/url.h"

#include <algorithm>
#include <charconv>

namespace tenon::apps {
namespace {

Error Bad(const std::string& text, const std::string& why) {
  return {Status::kInvalid, "\"" + text + "\": " + why + "; http://host:port expected"};
}

bool IsPort(const std::string& text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

Result<Url> ParseUrl(const std::string& text) {
  std::string rest = text;
  if (const size_t scheme = text.find("://"); scheme != std::string::npos) {
    const std::string name = text.substr(0, scheme);
    if (name == "https") {
      return Error{Status::kUnsupported,
                   "\"" + text + "\": TLS is not spoken here; measure behind what ends it"};
    }
    if (name != "http") return Bad(text, "\"" + name + "\" is no scheme of a server's");
    rest = text.substr(scheme + 3);
  }
  Url url;
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string place = rest.substr(0, slash);
  url.path = rest.substr(slash);
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  if (url.path == "/v1") url.path.clear();

  const auto unprintable = [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '@'; };
  if (std::any_of(rest.begin(), rest.end(), unprintable)) {
    return Bad(text, "it holds a character that no address has");
  }
  if (!place.empty() && place.front() == '[') {
    const size_t close = place.find(']');
    if (close == std::string::npos) return Bad(text, "no ] behind [");
    url.host = place.substr(1, close - 1);
    place = place.substr(close + 1);
  } else {
    const size_t colon = std::min(place.find(':'), place.size());
    url.host = place.substr(0, colon);
    place = place.substr(colon);
  }
  if (url.host.empty()) return Bad(text, "no host");
  url.port = place.empty() ? "80" : place.substr(1);
  if (!place.empty() && (place.front() != ':' || !IsPort(url.port))) {
    return Bad(text, "the port is \"" + url.port + "\", 1 to 65535 allowed");
  }
  return url;
}

}  // namespace tenon::apps
