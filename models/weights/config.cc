// SPDX-License-Identifier: Apache-2.0
#include "models/weights/config.h"

#include <charconv>
#include <exception>
#include <limits>
#include <stdexcept>
#include <utility>

#include "fmt/format.h"
#include "models/weights/mapped_file.h"
#include "nlohmann/json.hpp"

namespace tenon::models {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr int kDeepest = 32;

// The node at `key`; null where there is none.
const Json* Walk(const Json& root, std::string_view key) {
  const Json* node = &root;
  while (true) {
    const size_t dot = key.find('.');
    const std::string_view part = key.substr(0, dot);
    if (node->is_object()) {
      const auto at = node->find(part);
      if (at == node->end()) return nullptr;
      node = &*at;
    } else if (node->is_array()) {
      size_t index = 0;
      const char* const end = part.data() + part.size();
      const auto [stop, problem] = std::from_chars(part.data(), end, index);
      if (problem != std::errc() || stop != end || index >= node->size()) return nullptr;
      node = &(*node)[index];
    } else {
      return nullptr;
    }
    if (dot == std::string_view::npos) return node;
    key.remove_prefix(dot + 1);
  }
}

Scalar ScalarOf(const Json& node) {
  Scalar out;
  out.kind = Scalar::Kind::kOther;
  switch (node.type()) {
    case Json::value_t::null:
      out.kind = Scalar::Kind::kNull;
      break;
    case Json::value_t::boolean:
      out.kind = Scalar::Kind::kFlag;
      out.integer = node.get<bool>() ? 1 : 0;
      break;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: {
      const bool fits = !node.is_number_unsigned() ||
                        node.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
      out.kind = fits ? Scalar::Kind::kInteger : Scalar::Kind::kReal;
      out.integer = fits ? node.get<int64_t>() : 0;
      out.real = node.get<double>();
      break;
    }
    case Json::value_t::number_float:
      out.kind = Scalar::Kind::kReal;
      out.real = node.get<double>();
      break;
    case Json::value_t::string:
      out.kind = Scalar::Kind::kText;
      out.text = node.get_ref<const std::string&>();
      break;
    case Json::value_t::array:
      out.text = "a list";
      break;
    default:
      out.text = kGroupOfKeys;
      break;
  }
  return out;
}

}  // namespace

struct ConfigFile::Tree {
  Json root;
};

ConfigFile::ConfigFile(std::string path, std::unique_ptr<const Tree> tree)
    : path_(std::move(path)), tree_(std::move(tree)) {}
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;
ConfigFile& ConfigFile::operator=(ConfigFile&&) noexcept = default;
ConfigFile::~ConfigFile() = default;

Result<ConfigFile> ConfigFile::Open(const std::string& path) {
  const Result<MappedFile> map = MappedFile::Open(path);
  if (!map.ok()) return map.error();
  return Parse({reinterpret_cast<const char*>(map->Bytes().data()), map->Bytes().size()}, path);
}

Result<ConfigFile> ConfigFile::Parse(std::string_view json, const std::string& name) {
  const auto invalid = [&name](const std::string& problem) {
    return Error{Status::kInvalid, fmt::format("{}: {}", name, problem)};
  };
  if (json.size() > kMostBytes) {
    return invalid(
        fmt::format("has {} bytes; a config of at most {} expected", json.size(), kMostBytes));
  }
  try {
    const auto limit_depth = [](int depth, Json::parse_event_t, Json&) {
      if (depth > kDeepest) throw std::length_error("nested too deep; at most 32 levels allowed");
      return true;
    };
    auto tree = std::make_unique<Tree>();
    tree->root = Json::parse(json.begin(), json.end(), limit_depth);
    if (!tree->root.is_object()) return invalid("is no JSON object");
    return ConfigFile(name, std::move(tree));
  } catch (const Json::parse_error& error) {
    return invalid(
        fmt::format("is no valid JSON at byte {}; was the download interrupted?", error.byte));
  } catch (const std::exception& error) {
    return invalid(error.what());
  }
}

Scalar ConfigFile::Find(std::string_view key) const {
  const Json* node = Walk(tree_->root, key);
  return node != nullptr ? ScalarOf(*node) : Scalar{};
}

int64_t ConfigFile::ListSize(std::string_view key) const {
  const Json* node = Walk(tree_->root, key);
  return node != nullptr && node->is_array() ? static_cast<int64_t>(node->size()) : -1;
}

}  // namespace tenon::models
