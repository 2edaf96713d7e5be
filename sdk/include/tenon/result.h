// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "tenon/status.h"

// Results inside one binary. None of these types crosses the plugin boundary.
namespace tenon {

// A failure that a user can read: what is wrong, where, and what to do.
struct Error {
  Status status = Status::kInternal;
  std::string message;  // one or more lines, no trailing newline; the value seen and those allowed
  std::string code{};   // stable code such as "TN201"; empty where there is none
};

// Either a T or the Error that kept it from being made.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok()
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T value() && { return std::get<0>(std::move(state_)); }  // by value: a loop over it is safe
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok()
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

// Success, or the Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

namespace internal {
[[noreturn]] inline void CheckFailed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
  std::abort();
}
}  // namespace internal

// For invariants of our own code, never for input.
#define TENON_CHECK(condition) \
  ((condition) ? (void)0 : ::tenon::internal::CheckFailed(__FILE__, __LINE__, #condition))

// Leaves the function with the error of `expression` (a Result) if it has one.
#define TENON_RETURN_IF_ERROR(expression)                       \
  do {                                                          \
    if (auto&& tenon_result = (expression); !tenon_result.ok()) \
      return ::tenon::Error(tenon_result.error());              \
  } while (false)

}  // namespace tenon
