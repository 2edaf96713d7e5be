// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/attention_rig.h"

namespace tenon::testing {
namespace {

// The rows of one way to run must have the bits of another.
Verdict SameBits(const AttentionStand::Rows& rows, const AttentionStand::Rows& expected,
                 const char* what) {
  for (const auto& [key, row] : rows) {
    const auto found = expected.find(key);
    if (found != expected.end() && found->second != row) {
      return Warned(
          Text("%s gives other bits (slot %d of sequence %d)", what, key.second, key.first));
    }
  }
  return Passed();
}

Verdict Deterministic(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  AttentionRig one(subject, setup), other(subject, setup);
  std::string wrong = one.Play(MixedSteps());
  if (wrong.empty()) wrong = other.Play(MixedSteps());
  if (!wrong.empty()) return Failed(wrong);
  const Verdict same = SameBits(one.stand.rows(), other.stand.rows(), "the same again");
  return same.outcome == Outcome::kPassed ? same : Failed(same.message);
}

// Sequence 1 in one step alone, in pieces alone, and in pieces beside others.
Verdict Chunked(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  AttentionRig whole(subject, setup), pieces(subject, setup);
  std::string wrong = whole.Play({{{1, 109}}});
  if (wrong.empty()) wrong = pieces.Play({{{1, 17}}, {{1, 1}}, {{1, 64}}, {{1, 27}}});
  if (!wrong.empty()) return Failed(wrong);
  const double tolerance = ToleranceOf(setup.kv_type);
  if (!(pieces.stand.worst() <= tolerance)) {
    return Failed(
        Text("a prompt in pieces is off by %.2g; %.2g allowed", pieces.stand.worst(), tolerance));
  }
  return SameBits(pieces.stand.rows(), whole.stand.rows(), "a prompt in pieces");
}

Verdict BatchInvariant(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  AttentionRig alone(subject, setup), beside(subject, setup);
  std::string wrong = alone.Play({{{1, 90}}, {{1, 1}}, {{1, 17}}, {{1, 1}}});
  if (wrong.empty()) wrong = beside.Play(MixedSteps());
  return wrong.empty() ? SameBits(alone.stand.rows(), beside.stand.rows(), "company in the batch")
                       : Failed(wrong);
}

Verdict LanesAlike(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  AttentionRig one(subject, setup, 1), three(subject, setup, 3);
  std::string wrong = one.Play(MixedSteps());
  if (wrong.empty()) wrong = three.Play(MixedSteps());
  if (!wrong.empty()) return Failed(wrong);
  if (!(three.stand.worst() <= ToleranceOf(setup.kv_type))) {
    return Failed(Text("off by %.2g with three lanes", three.stand.worst()));
  }
  return SameBits(three.stand.rows(), one.stand.rows(), "three lanes instead of one");
}

}  // namespace

void AddAttentionBatchTests(std::vector<Test>* tests) {
  tests->insert(tests->end(), {{"attention.batch.deterministic", Deterministic},
                               {"attention.batch.chunked", Chunked},
                               {"attention.batch.invariant", BatchInvariant},
                               {"attention.batch.lanes", LanesAlike}});
}

}  // namespace tenon::testing
