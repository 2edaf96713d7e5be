// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/testing/verdict.h"

// The tests of each family, appended to `tests` by TestsOf.
namespace tenon::testing {

void AddAnyTests(const ComponentInfo& component, std::vector<Test>* tests);
void AddDeviceTests(const ComponentInfo& component, std::vector<Test>* tests);
void AddAttentionTests(const ComponentInfo& component, std::vector<Test>* tests);
void AddQuantTests(const ComponentInfo& component, std::vector<Test>* tests);
void AddSchedulerTests(const ComponentInfo& component, std::vector<Test>* tests);
void AddDecodingTests(const ComponentInfo& component, std::vector<Test>* tests);
void AddParallelTests(const ComponentInfo& component, std::vector<Test>* tests);

// Of roles.
void AddAdapterTests(std::vector<Test>* tests);
void AddCommunicatorTests(std::vector<Test>* tests);

}  // namespace tenon::testing
