// SPDX-License-Identifier: Apache-2.0
#include "apps/link/crash_report.h"

#include <dlfcn.h>
#include <link.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <sstream>
#include <vector>

#include "core/plugins/plugin_note.h"

namespace tenon::apps::link {
namespace {

constexpr std::string_view kDied = "died of ";
constexpr std::string_view kIn = "  in ";
constexpr int kMaxFrames = 256;
constexpr size_t kStackBytes = 64 << 10;

struct CrashSignal {
  int number;
  const char* name;
};
constexpr std::array kSignals = {CrashSignal{SIGSEGV, "SIGSEGV"}, CrashSignal{SIGBUS, "SIGBUS"},
                                 CrashSignal{SIGILL, "SIGILL"}, CrashSignal{SIGFPE, "SIGFPE"},
                                 CrashSignal{SIGABRT, "SIGABRT"}};

std::atomic<int> g_file = -1;
std::atomic_flag g_reporting = ATOMIC_FLAG_INIT;

void Put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = write(g_file, text.data(), text.size());
    if (put <= 0) return;
    text.remove_prefix(static_cast<size_t>(put));
  }
}

// Writes the file that holds `address`, unless it is the last one's.
struct Walk {
  const link_map* last = nullptr;
  int frames = 0;

  void At(uintptr_t address) {
    dl_find_object found;
    if (address == 0 || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return;
    if (found.dlfo_link_map == last) return;
    last = found.dlfo_link_map;
    // The program itself has no name.
    if (last->l_name == nullptr || last->l_name[0] == '\0') return;
    Put(kIn);
    Put(last->l_name);
    Put("\n");
  }
};

_Unwind_Reason_Code AtFrame(_Unwind_Context* context, void* walk) {
  auto* self = static_cast<Walk*>(walk);
  self->At(static_cast<uintptr_t>(_Unwind_GetIP(context)));
  return ++self->frames < kMaxFrames ? _URC_NO_REASON : _URC_END_OF_STACK;
}

uintptr_t InstructionOf(const void* context) {
#if defined(__x86_64__)
  return static_cast<uintptr_t>(
      static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.pc);
#else
  return 0;
#endif
}

void OnCrash(int number, siginfo_t*, void* context) {
  // Another thread's crash waits for the end of the process.
  while (g_reporting.test_and_set()) pause();
  if (g_file == STDERR_FILENO) Put("tenon worker: ");
  Put(kDied);
  for (const CrashSignal& one : kSignals) {
    if (one.number == number) Put(one.name);
  }
  Put("\n");
  Walk walk;
  walk.At(InstructionOf(context));
  _Unwind_Backtrace(AtFrame, &walk);
  signal(number, SIG_DFL);
  raise(number);
}

std::string FileNameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

void ReportCrashes(int file) {
  g_file = file;
  PrepareThreadForCrashes();
  // Loads the unwinder's library if it is not there yet.
  Walk walk;
  walk.frames = kMaxFrames;
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, &walk);
  struct sigaction action {};
  action.sa_sigaction = OnCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const CrashSignal& one : kSignals) sigaction(one.number, &action, nullptr);
}

void PrepareThreadForCrashes() {
  struct Stack {
    Stack() : memory(new char[kStackBytes]) {
      const stack_t stack{.ss_sp = memory.get(), .ss_flags = 0, .ss_size = kStackBytes};
      sigaltstack(&stack, nullptr);
    }
    ~Stack() {
      const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
      sigaltstack(&none, nullptr);
    }
    std::unique_ptr<char[]> memory;
  };
  thread_local const Stack stack;
}

std::string ReadCrashReport(const std::string& text) {
  std::string out;
  std::vector<std::string> files;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kDied)) out = line;
    if (line.starts_with(kIn)) files.push_back(line.substr(kIn.size()));
  }
  if (out.empty()) return out;
  for (const std::string& file : files) {
    const auto id = core::ReadPluginId(file);
    if (!id) continue;
    return out + " in " + FileNameOf(file) + (id->empty() ? "" : " (" + *id + ")");
  }
  return out + (files.empty() ? " in the program itself" : " in " + FileNameOf(files[0]));
}

}  // namespace tenon::apps::link
