// SPDX-License-Identifier: Apache-2.0
// The sizes of all types that cross the plugin boundary, the places of their members and the
// numbers of their enumerators, as recorded. That this compiles is the test; sdk/abi_test.cc has
// what cannot be read from the headers alone.
#include <gtest/gtest.h>

#include <cstddef>

#include "tenon/attention.h"
#include "tenon/decoding.h"
#include "tenon/device.h"
#include "tenon/parallel.h"
#include "tenon/plugin.h"
#include "tenon/plugin_note.h"
#include "tenon/quant.h"
#include "tenon/rules.h"
#include "tenon/scheduler.h"

namespace tenon {
namespace {

#include "layouts.inc"

TEST(Layouts, BelongToThisAbi) { EXPECT_EQ(kAbiVersion, 1u); }

}  // namespace
}  // namespace tenon
