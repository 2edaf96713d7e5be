// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/component.h"
#include "tenon/parallel.h"

namespace tenon::parallel {

// Leaves the Program as it is: every rank, if there are several, computes all of it.
class NoStrategy final : public Component, public Strategy {
 public:
  explicit NoStrategy(const CreateArgs& args) : host_(*args.host) {}

  void* Query(const char* name) noexcept override { return Offer<Strategy>(this, name); }
  Status Rewrite(ProgramEditor& program, Communicator* communicator) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;  // kUnsupported, always

 private:
  Host& host_;
};

}  // namespace tenon::parallel
