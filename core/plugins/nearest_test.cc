// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/nearest.h"

#include <gtest/gtest.h>

namespace tenon::core {
namespace {

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(EditDistance("tile", "tile"), 0);
  EXPECT_EQ(EditDistance("tiles", "tile"), 1);
  EXPECT_EQ(EditDistance("", "tile"), 4);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("tiel", "tile"), 1) << "a swap of neighbours is one edit";
}

TEST(EditDistance, LongWordsAreCutOff) {
  const std::string a(1000, 'a');
  const std::string b(1000, 'b');
  EXPECT_EQ(EditDistance(a, b), 64);
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(Nearest("tiles", {"kv_type", "tile"}), "tile");
  EXPECT_EQ(Nearest("atention", {"device", "attention"}), "attention");
  EXPECT_EQ(Nearest("max_batch", {"max_batch_tokens", "window"}), "max_batch_tokens");
}

TEST(Nearest, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(Nearest("colour", {"tile", "kv_type"}), "");
  EXPECT_EQ(Nearest("x", {}), "");
  EXPECT_EQ(DidYouMean("colour", {"tile"}), "");
  EXPECT_EQ(DidYouMean("tiel", {"tile"}), "; did you mean \"tile\"?");
}

}  // namespace
}  // namespace tenon::core
