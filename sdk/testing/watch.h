// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::testing {

// Counts what this thread allocates while it lives, by the C library's and C++'s allocators alike.
// Every object loaded so far is watched (its calls of malloc, operator new … are led through the
// kit), but for the C library's own calls. For processes that run one test: the calls stay led.
class AllocationWatch {
 public:
  AllocationWatch();
  ~AllocationWatch();
  AllocationWatch(const AllocationWatch&) = delete;
  AllocationWatch& operator=(const AllocationWatch&) = delete;

  int64_t count() const;

  // Whether it sees anything on this machine: tries an allocation.
  static bool Works();
};

}  // namespace tenon::testing
