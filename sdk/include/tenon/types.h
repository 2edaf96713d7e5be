// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

// The plain values that cross the plugin boundary. Nothing here owns memory: a view handed to a
// function is valid until that function returns, unless the function says otherwise.
namespace tenon {

// A run of `size` values at `data`.
template <typename T>
struct Span {
  T* data = nullptr;
  uint64_t size = 0;

  constexpr T* begin() const { return data; }
  constexpr T* end() const { return data + size; }
  constexpr T& operator[](uint64_t i) const { return data[i]; }
  constexpr bool empty() const { return size == 0; }
  constexpr operator Span<const T>() const { return {data, size}; }
};

// Text, UTF-8, not terminated.
struct Str {
  const char* data = "";
  uint64_t size = 0;

  constexpr Str() = default;
  constexpr Str(const char* begin, uint64_t bytes) : data(begin), size(bytes) {}
  constexpr Str(const char* terminated)
      : data(terminated), size(std::char_traits<char>::length(terminated)) {}
  constexpr Str(std::string_view view) : data(view.data()), size(view.size()) {}
  constexpr operator std::string_view() const { return {data, size}; }
};

constexpr bool operator==(Str a, Str b) { return std::string_view(a) == std::string_view(b); }

// The families of components. Values are part of the ABI: append only.
enum class Family : uint32_t {
  kDevice = 0,
  kAttention = 1,
  kQuant = 2,
  kScheduler = 3,
  kParallel = 4,
  kDecoding = 5,
};
inline constexpr uint32_t kFamilyCount = 6;
inline constexpr const char* kFamilyNames[kFamilyCount] = {"device",    "attention", "quant",
                                                           "scheduler", "parallel",  "decoding"};
constexpr const char* Name(Family family) { return kFamilyNames[static_cast<uint32_t>(family)]; }

}  // namespace tenon
