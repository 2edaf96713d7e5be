// SPDX-License-Identifier: Apache-2.0
#include "apps/report/page.h"

#include <fstream>

#include "apps/report/svg.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

constexpr const char* kBeforeTitle = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>)";
constexpr const char* kBehindTitle = R"(</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #1c2733 }
h1, h3, td { overflow-wrap: anywhere } h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; width: 100% } td, th { padding: .3em .6em; border-bottom: 1px solid #d8dee4; text-align: right }
td:first-child, th:first-child { text-align: left } pre { background: #f4f6f8; padding: 1em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px }
.verdict { white-space: pre-line; padding: 1em; border-left: 5px solid #2f7d4f; background: #f1f7f3 }
.failed { border-color: #b3372f; background: #fbf1f0 } .pair { display: flex; flex-wrap: wrap; gap: 1em }
.pair > * { flex: 1 1 20em; min-width: 0 } svg { width: 100%; font-size: 13px } svg.half { max-width: 27em; font-size: 14px }
.axis { stroke: #8b98a5; stroke-dasharray: 3 3 } .frame { fill: none; stroke: #c5ced6 } text { fill: #1c2733 }
.interval { stroke: #24507e; stroke-width: 4 } .value { fill: #24507e } .sample { fill: #e08a2b; fill-opacity: .6 }
.a { fill: #24507e } .b { fill: #e08a2b } .ablation td, .ablation .words { text-align: left; white-space: nowrap }
.ablation { font-size: 13px } .ablation td:nth-child(-n+2), .ablation small { white-space: normal }
.ablation th { text-align: left; vertical-align: bottom } .ablation .words { white-space: normal; color: #55626e }
small { color: #55626e } details { margin-top: 1.5em } summary { cursor: pointer; font-weight: 600 }
</style></head><body>
)";

}  // namespace

std::string PageHead(std::string_view title) {
  return kBeforeTitle + Escaped(title) + kBehindTitle;
}

Result<void> WritePage(const std::string& path, const std::string& page) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << page;
  file.close();
  if (!file) return Error{Status::kInvalid, fmt::format("{}: cannot be written", path)};
  return {};
}

}  // namespace tenon::apps
