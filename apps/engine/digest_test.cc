// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/digest.h"

#include "gtest/gtest.h"

namespace tenon::apps {
namespace {

// FIPS 180-4, "abc"; RFC 4231, case 2.
TEST(Digest, MatchesTheStandardsExamples) {
  EXPECT_EQ(Hexadecimal(Sha256Of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hexadecimal(HmacOf("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, RandomBytesAreAsManyAsAskedAndNeverTwiceTheSame) {
  EXPECT_EQ(RandomBytes(7).size(), 7u);
  EXPECT_NE(RandomBytes(16), RandomBytes(16));
}

}  // namespace
}  // namespace tenon::apps
