// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <string>

namespace tenon::apps::link {

// Makes the thread of a worker that gets it from the worker's parent tell where it is. One of those
// that end a process, since plugins' threads may block all others.
inline constexpr int kWhereSignal = SIGABRT;

// From here on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT write a report to `file` before they end
// the process as they would: the signal's name, and the files that hold the code that ran and its
// callers, innermost first. What the handler calls allocates and locks nothing: glibc's
// _dl_find_object finds the files, libgcc's unwinder the frames (it uses the former). kWhereSignal
// writes a thread's files likewise, and the thread goes on. Once.
void ReportCrashes(int file);

// A stack for the calling thread's crash report, so that an overflow of its own stack is reported
// too. Ends with the thread.
void PrepareThreadForCrashes();

// What a report says, for a log: "died of SIGSEGV in attention_paged.so (tenon.attention.paged)".
// The plugin is the innermost of the files that is one by its note. Empty where `text` holds no
// report.
std::string ReadCrashReport(const std::string& text);

// What the threads that got kWhereSignal were in: "attention_paged.so (tenon.attention.paged)". Of
// a thread that is the innermost plugin. Who runs an op for another plugin, a device, comes before
// who was called by the program, and that before threads that may only wait for work: the first
// kind that is there is named. Empty where no plugin ran.
std::string ReadWhereReport(const std::string& text);

}  // namespace tenon::apps::link
