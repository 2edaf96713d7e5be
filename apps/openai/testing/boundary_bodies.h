// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "apps/openai/api.h"
#include "text/testing/vocabularies.h"

namespace tenon::apps::openai::testing {

// A request at the borders of what is allowed, or beyond.
struct BoundaryBody {
  std::string text;
  std::string field;  // where only this one may be refused; empty: any
};

// Makes the same ones again from the same `random`.
BoundaryBody NextBoundaryBody(Endpoint endpoint, text::testing::Random& random);

// How many of them a test tries: TENON_BOUNDARY_BODIES, or `otherwise`.
int BoundaryCount(int otherwise);

}  // namespace tenon::apps::openai::testing
