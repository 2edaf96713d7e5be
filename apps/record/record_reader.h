// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "apps/record/record.h"
#include "tenon/result.h"

namespace tenon::apps::record {

// The run of that name in a recording's folder; the latest where `run` is empty. A last line that
// was cut off, as a killed server leaves it, is not there. kNotFound lists the runs that there are;
// kInvalid names the file and the line that is not understood. Memory in proportion to the files.
Result<RecordedRun> ReadRun(const std::string& folder, const std::string& run);

}  // namespace tenon::apps::record
