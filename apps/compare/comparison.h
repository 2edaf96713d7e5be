// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "apps/compare/quality.h"
#include "apps/compare/statistics.h"
#include "apps/compare/workload.h"

namespace tenon::apps {

struct CompareOptions {
  int32_t repeat = 5;       // instances of both arms; every prompt meets each pair once (A B B A)
  int32_t concurrency = 8;  // requests in flight when throughput is measured
  int32_t requests = 0;     // of one throughput run; 0: as many as there are prompts
  int32_t window = 128;     // tokens of a teacher-forced text
  int32_t windows = 16;     // texts, where they come out of a file
  bool quality = true;      // false: the arms do not share a vocabulary
  double alpha = 0.05;      // intervals of quality have coverage 1 - alpha; those of all speed rows
                            // together too
};

// One of the two pipelines. `session` is open; later instances of it are opened by `options`.
struct Arm {
  SessionOptions options;
  std::unique_ptr<Session> session;
};

// What was measured of one property, on both arms.
struct SpeedRow {
  std::string name, unit;
  double a = 0, b = 0;                 // medians
  Estimate gain;                       // of log(speed of B / speed of A): above 0, B is faster
  std::vector<double> each_a, each_b;  // by prompt; throughput: by instance
};

struct Quality {
  Estimate identical;  // share of prompts with the same output
  std::vector<Divergence> divergences;
  int64_t positions = 0;
  Estimate kl;  // nats a position
  double largest_kl = 0;
  Estimate same_top;    // share of positions
  Estimate nll_change;  // of B against A, a token; its exponential is the perplexities' ratio
  double ppl_a = 0, ppl_b = 0;
};

struct Comparison {
  std::vector<SpeedRow> speed;  // whole request, first token, each further token, throughput
  std::map<std::string, double> plugins_a, plugins_b;  // seconds a component took, all trials
  std::optional<Quality> quality;
};

// Runs the experiment: paired, interleaved, after a round that is not counted. Each repetition
// opens both arms anew; of a single one no interval is known. `forced` are the token texts for
// teacher forcing; empty: prompts with A's outputs. `progress` hears of the share done. On success
// both arms are open.
Result<Comparison> RunComparison(Arm& a, Arm& b, const std::vector<WorkItem>& items,
                                 const std::vector<std::vector<int32_t>>& forced,
                                 const CompareOptions& options, const volatile bool* stop,
                                 const std::function<void(double)>& progress);

}  // namespace tenon::apps
