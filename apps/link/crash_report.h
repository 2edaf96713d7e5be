// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tenon::apps::link {

// From here on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT write a report to `file` before they end
// the process as they would: the signal's name, and the files that hold the code that ran and its
// callers, innermost first. What the handler calls allocates and locks nothing: glibc's
// _dl_find_object finds the files, libgcc's unwinder the frames (it uses the former). Once.
void ReportCrashes(int file);

// A stack for the calling thread's crash report, so that an overflow of its own stack is reported
// too. Ends with the thread.
void PrepareThreadForCrashes();

// What a report says, for a log: "died of SIGSEGV in attention_paged.so (tenon.attention.paged)".
// The plugin is the innermost of the files that is one by its note. Empty where `text` holds no
// report.
std::string ReadCrashReport(const std::string& text);

}  // namespace tenon::apps::link
