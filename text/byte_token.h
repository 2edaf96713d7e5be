// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace tenon::text {

// "<0x0A>" -> 10; -1 where the token is not of this form.
int ByteOfToken(std::string_view token);

}  // namespace tenon::text
