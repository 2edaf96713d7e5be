// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// Pieces of SVG plots, for pages that stand alone; PageHead brings the classes that style them.
namespace tenon::apps {

inline constexpr double kSvgWidth = 720;  // units of a plot's view box

// Text for HTML and SVG: & < > " ' escaped.
std::string Escaped(std::string_view text);

// The opening tag of a plot that is kSvgWidth × `height` units, and as wide as its place.
std::string SvgOpen(double height);

// `anchor`: start, middle or end; `text` is escaped.
std::string SvgText(double x, double y, const char* anchor, std::string_view text);

std::string SvgLine(double x1, double y1, double x2, double y2, const char* style);
std::string SvgDot(double x, double y, double radius, const char* style);
std::string SvgBox(double x, double y, double width, double height, const char* style);

}  // namespace tenon::apps
