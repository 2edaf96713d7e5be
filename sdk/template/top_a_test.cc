// SPDX-License-Identifier: Apache-2.0
#include "top_a.h"

#include <cmath>
#include <cstdio>

namespace {

int failures = 0;

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s\n", what);
  ++failures;
}

bool RuledOut(float logit) { return std::isinf(logit) && logit < 0; }

// p = {0.7, 0.2, 0.08, 0.02}; the limit for a = 0.2 is 0.2 * 0.49 = 0.098.
void RulesOutWhatIsBelowTheSquare() {
  float logits[] = {std::log(0.7f), std::log(0.2f), std::log(0.08f), std::log(0.02f)};
  acme::KeepTopA({logits, 4}, 0.2f);
  Expect(!RuledOut(logits[0]) && !RuledOut(logits[1]), "likely tokens stay");
  Expect(RuledOut(logits[2]) && RuledOut(logits[3]), "unlikely tokens go");
}

void DoesNotDependOnAConstantAddedToAllLogits() {
  float logits[] = {500 + std::log(0.7f), 500 + std::log(0.2f), 500 + std::log(0.08f)};
  acme::KeepTopA({logits, 3}, 0.2f);
  Expect(!RuledOut(logits[1]) && RuledOut(logits[2]), "the same tokens stay");
}

void KeepsTheBestToken() {
  float logits[] = {-3, 9, -3, -INFINITY};
  acme::KeepTopA({logits, 4}, 1);
  Expect(logits[1] == 9, "the best token keeps its logit");
  Expect(RuledOut(logits[0]) && RuledOut(logits[3]), "all others go");
}

void ChangesNothingAtZero() {
  float logits[] = {-30, 9};
  acme::KeepTopA({logits, 2}, 0);
  Expect(logits[0] == -30, "a = 0 rules out nothing");
  acme::KeepTopA({}, 1);
}

}  // namespace

int main() {
  RulesOutWhatIsBelowTheSquare();
  DoesNotDependOnAConstantAddedToAllLogits();
  KeepsTheBestToken();
  ChangesNothingAtZero();
  if (failures == 0) std::puts("top_a_test: all passed");
  return failures == 0 ? 0 : 1;
}
