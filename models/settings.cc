// SPDX-License-Identifier: Apache-2.0
#include "models/settings.h"

#include <utility>

#include "fmt/format.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr size_t kMostProblems = 16;

bool Absent(const Scalar& scalar) {
  return scalar.kind == Scalar::Kind::kMissing || scalar.kind == Scalar::Kind::kNull;
}

std::string Shown(const Scalar& scalar) {
  switch (scalar.kind) {
    case Scalar::Kind::kMissing:
      return "missing";
    case Scalar::Kind::kNull:
      return "null";
    case Scalar::Kind::kInteger:
      return fmt::format("{}", scalar.integer);
    case Scalar::Kind::kReal:
      return fmt::format("{}", scalar.real);
    case Scalar::Kind::kFlag:
      return scalar.integer != 0 ? "true" : "false";
    case Scalar::Kind::kText:
      return Quoted(scalar.text);
    case Scalar::Kind::kOther:
      break;
  }
  return std::string(scalar.text);
}

}  // namespace

bool Settings::Has(std::string_view key) const { return !Absent(source_.Find(Key(key))); }

bool Settings::IsNull(std::string_view key) const {
  return source_.Find(Key(key)).kind == Scalar::Kind::kNull;
}

int64_t Settings::ListSize(std::string_view key) const { return source_.ListSize(Key(key)); }

bool Settings::HasGroup(std::string_view key) {
  const Scalar found = source_.Find(Key(key));
  if (Absent(found)) return false;
  const bool group = found.kind == Scalar::Kind::kOther && found.text == kGroupOfKeys;
  if (!group) WrongKind(key, found, kGroupOfKeys);
  return group;
}

void Settings::Fail(std::string problem) {
  if (problems_.size() < kMostProblems) problems_.push_back(std::move(problem));
}

void Settings::WrongKind(std::string_view key, const Scalar& found, std::string_view expected) {
  Fail(fmt::format("{} is {}; {} expected", Key(key), Shown(found), expected));
}

int32_t Settings::Integer(std::string_view key, int32_t low, int32_t high) {
  const Scalar found = source_.Find(Key(key));
  if (found.kind == Scalar::Kind::kInteger && found.integer >= low && found.integer <= high) {
    return static_cast<int32_t>(found.integer);
  }
  WrongKind(key, found, fmt::format("an integer from {} to {}", low, high));
  return low;
}

double Settings::Real(std::string_view key, double low, double high) {
  const Scalar found = source_.Find(Key(key));
  const bool number = found.kind == Scalar::Kind::kInteger || found.kind == Scalar::Kind::kReal;
  if (number && found.real >= low && found.real <= high) return found.real;
  WrongKind(key, found, fmt::format("a number from {} to {}", low, high));
  return low;
}

int32_t Settings::IntegerOr(std::string_view key, int32_t fallback, int32_t low, int32_t high) {
  return Has(key) ? Integer(key, low, high) : fallback;
}

double Settings::RealOr(std::string_view key, double fallback, double low, double high) {
  return Has(key) ? Real(key, low, high) : fallback;
}

bool Settings::FlagOr(std::string_view key, bool fallback) {
  const Scalar found = source_.Find(Key(key));
  if (Absent(found)) return fallback;
  if (found.kind == Scalar::Kind::kFlag) return found.integer != 0;
  WrongKind(key, found, "true or false");
  return fallback;
}

std::string_view Settings::TextOr(std::string_view key, std::string_view fallback) {
  const Scalar found = source_.Find(Key(key));
  if (Absent(found)) return fallback;
  if (found.kind == Scalar::Kind::kText) return found.text;
  WrongKind(key, found, "a string");
  return fallback;
}

Result<void> Settings::Check() const {
  if (problems_.empty()) return {};
  std::string message = source_.Path() + ": cannot be used as a model:";
  for (const std::string& problem : problems_) message += "\n  " + problem;
  return Error{Status::kInvalid, message};
}

}  // namespace tenon::models
