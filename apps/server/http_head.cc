// SPDX-License-Identifier: Apache-2.0
#include "apps/server/http_head.h"

#include <algorithm>
#include <charconv>

namespace tenon::apps::server {
namespace {

constexpr size_t kMostFields = 100;
constexpr size_t kMostMethodBytes = 16;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool SameWord(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

// RFC 9110, token.
bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<FramingError> Bad(const char* why, int status = 400) {
  return FramingError{status, why};
}

std::optional<FramingError> ParseRequestLine(std::string_view line, RequestHead* out) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return Bad("the request line has not three parts");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!IsToken(method) || method.size() > kMostMethodBytes) return Bad("the method is malformed");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Bad("the version is neither 1.1 nor 1.0");
  }
  if (target.empty() || target[0] != '/') return Bad("the target is not a path");
  const bool plain = std::all_of(target.begin(), target.end(),
                                 [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
  if (!plain) return Bad("the target holds characters that it may not");
  const size_t question = target.find('?');
  out->method = method;
  out->path = target.substr(0, question);
  if (question != std::string_view::npos) out->query = target.substr(question + 1);
  out->http_1_0 = version == "HTTP/1.0";
  out->keep_alive = !out->http_1_0;
  return std::nullopt;
}

std::optional<FramingError> ParseField(std::string_view line, RequestHead* out) {
  if (line[0] == ' ' || line[0] == '\t') return Bad("a header line is folded");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Bad("a header line has no colon");
  const std::string_view name = line.substr(0, colon);
  if (!IsToken(name)) return Bad("a header's name is malformed");
  if (out->fields.size() == kMostFields) return Bad("there are too many headers", 431);
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  out->fields.emplace_back(std::move(lower), Trim(line.substr(colon + 1)));
  return std::nullopt;
}

std::optional<FramingError> CheckHost(std::string_view host) {
  constexpr std::string_view kMarks = "-._~:[]%!$&'()*+;=";
  const bool plain = std::all_of(host.begin(), host.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
  if (host.empty() || !plain) return Bad("Host is malformed");
  return std::nullopt;
}

std::optional<FramingError> ParseLength(std::string_view value, RequestHead* out) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc{} || end != value.data() + value.size() || value.size() > 19) {
    return Bad("Content-Length is not one whole number");
  }
  out->body_bytes = length;
  return std::nullopt;
}

// One field's part in where the request ends.
std::optional<FramingError> Apply(const std::string& name, std::string_view value,
                                  RequestHead* out) {
  if (name == "host") return CheckHost(value);
  if (name == "content-length") return ParseLength(value, out);
  if (name == "transfer-encoding") {
    if (value != "chunked") return Bad("Transfer-Encoding is not exactly \"chunked\"");
    out->chunked = true;
  } else if (name == "connection") {
    if (HasWord(value, "keep-alive")) out->keep_alive = true;
    if (HasWord(value, "close")) out->keep_alive = false;
    if (HasWord(value, "upgrade")) out->upgrades = true;
  } else if (name == "expect") {
    if (!SameWord(value, "100-continue")) return Bad("Expect is not \"100-continue\"", 417);
    out->expects_continue = !out->http_1_0;
  }
  return std::nullopt;
}

std::optional<FramingError> CheckFraming(RequestHead* out) {
  for (const char* once :
       {"host", "content-length", "transfer-encoding", "expect", "authorization"}) {
    const auto many = std::count_if(out->fields.begin(), out->fields.end(),
                                    [&](const auto& field) { return field.first == once; });
    if (many > 1) return Bad("a header is there twice that may be there once");
  }
  if (out->Find("host") == nullptr) return Bad("Host is missing");
  for (const auto& [name, value] : out->fields) {
    if (auto error = Apply(name, value, out)) return error;
  }
  if (out->chunked && out->body_bytes) {
    return Bad("Transfer-Encoding and Content-Length exclude each other");
  }
  if (out->chunked && out->http_1_0) return Bad("version 1.0 has no Transfer-Encoding");
  return std::nullopt;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = Lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

const std::string* RequestHead::Find(std::string_view name) const {
  for (const auto& field : fields) {
    if (field.first == name) return &field.second;
  }
  return nullptr;
}

HeadScan ScanHead(std::string_view arrived, size_t most_bytes) {
  size_t line = 0;  // where it begins
  for (size_t i = 0; i < std::min(arrived.size(), most_bytes); ++i) {
    const auto c = static_cast<unsigned char>(arrived[i]);
    if (c == '\n') {
      if (i == 0 || arrived[i - 1] != '\r') return {0, Bad("a line ends without CR")};
      if (i - 1 == line) {
        if (line == 0) return {0, Bad("the request line is empty")};
        return {i + 1};
      }
      line = i + 1;
    } else if (i > 0 && arrived[i - 1] == '\r') {
      return {0, Bad("a CR is not followed by LF")};
    } else if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f) {
      return {0, Bad("the head holds control characters")};
    }
  }
  if (arrived.size() >= most_bytes) return {0, Bad("the request's headers are too long", 431)};
  return {};
}

std::optional<FramingError> ParseHead(std::string_view head, RequestHead* out) {
  const size_t first = head.find("\r\n");
  if (first == std::string_view::npos || !head.ends_with("\r\n\r\n")) {
    return Bad("the head is not complete");
  }
  if (auto error = ParseRequestLine(head.substr(0, first), out)) return error;
  head.remove_suffix(2);
  for (size_t at = first + 2; at < head.size();) {
    const size_t end = head.find("\r\n", at);
    if (auto error = ParseField(head.substr(at, end - at), out)) return error;
    at = end + 2;
  }
  return CheckFraming(out);
}

bool HasWord(std::string_view list, std::string_view word) {
  while (true) {
    const size_t comma = list.find(',');
    if (SameWord(Trim(list.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

std::optional<std::string> DecodePercent(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
    if (low < 0 || high * 16 + low == 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return DecodePercent(pair.substr(equals + 1)).value_or("");
    }
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
  return "";
}

}  // namespace tenon::apps::server
