// SPDX-License-Identifier: Apache-2.0
#include "apps/link/crash_report.h"

#include <dlfcn.h>
#include <link.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <vector>

#include "core/plugins/plugin_note.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps::link {
namespace {

constexpr std::string_view kDied = "died of ";
constexpr std::string_view kIn = "  in ";
constexpr std::string_view kThread = "thread\n";
constexpr std::string_view kAt = "  at ";
constexpr std::string_view kProgram = "program";
constexpr int kMaxFrames = 256;
constexpr size_t kMaxWhere = 4096;  // a pipe keeps so much together
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

// Tells the files that hold the addresses, each unless it is the last one's. The program itself has
// no name.
struct Walk {
  void (*tell)(void* to, std::string_view file);
  void* to = nullptr;
  const link_map* last = nullptr;
  int frames = 0;
  bool interrupted = false;  // the handler's own frames are over

  void At(uintptr_t address) {
    dl_find_object found;
    if (address == 0 || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return;
    if (found.dlfo_link_map == last) return;
    last = found.dlfo_link_map;
    tell(to, last->l_name == nullptr ? std::string_view() : last->l_name);
  }
};

void PutFile(void*, std::string_view file) {
  if (file.empty()) return;
  Put(kIn);
  Put(file);
  Put("\n");
}

// What one thread says, written at once: other threads write too.
struct Where {
  char text[kMaxWhere];
  size_t size = 0;

  void Add(std::string_view more) {
    if (more.size() > sizeof(text) - size) return;
    std::memcpy(text + size, more.data(), more.size());
    size += more.size();
  }
};

void AddFile(void* to, std::string_view file) {
  auto* where = static_cast<Where*>(to);
  if (kAt.size() + file.size() + kProgram.size() + 1 > sizeof(where->text) - where->size) return;
  where->Add(kAt);
  where->Add(file.empty() ? kProgram : file);
  where->Add("\n");
}

_Unwind_Reason_Code AtFrame(_Unwind_Context* context, void* walk) {
  auto* self = static_cast<Walk*>(walk);
  int by_signal = 0;
  const auto address = static_cast<uintptr_t>(_Unwind_GetIPInfo(context, &by_signal));
  self->interrupted = self->interrupted || by_signal != 0;
  if (self->interrupted) self->At(address);
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

void TellWhere(const void* context) {
  const int error = errno;
  Where where;
  where.Add(kThread);
  Walk walk{.tell = AddFile, .to = &where};
  walk.At(InstructionOf(context));
  _Unwind_Backtrace(AtFrame, &walk);
  Put({where.text, where.size});
  errno = error;
}

void OnCrash(int number, siginfo_t* info, void* context) {
  if (number == kWhereSignal && info->si_code == SI_TKILL && info->si_pid == getppid()) {
    return TellWhere(context);
  }
  // Another thread's crash waits for the end of the process.
  while (g_reporting.test_and_set()) pause();
  if (g_file == STDERR_FILENO) Put("tenon worker: ");
  Put(kDied);
  for (const CrashSignal& one : kSignals) {
    if (one.number == number) Put(one.name);
  }
  Put("\n");
  Walk walk{.tell = PutFile};
  walk.At(InstructionOf(context));
  _Unwind_Backtrace(AtFrame, &walk);
  signal(number, SIG_DFL);
  raise(number);
}

std::string FileNameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "attention_paged.so (tenon.attention.paged)"; empty where the file is no plugin.
std::string PluginNameOf(const std::string& file) {
  const auto id = core::ReadPluginId(file);
  if (!id) return "";
  return FileNameOf(file) + (id->empty() ? "" : " (" + *id + ")");
}

// What one thread told.
struct Stack {
  std::vector<std::string> plugins;  // innermost first, none twice in a row
  bool program = false;              // called them

  int Rank() const { return plugins.size() > 1 ? 2 : program ? 1 : 0; }
};

std::vector<Stack> ReadStacks(const std::string& text) {
  std::vector<Stack> stacks;
  std::map<std::string, std::string> names;  // of files
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line + "\n" == kThread) stacks.emplace_back();
    if (stacks.empty() || !line.starts_with(kAt)) continue;
    const std::string file = line.substr(kAt.size());
    if (file == kProgram) {
      stacks.back().program = true;
      continue;
    }
    const auto [named, fresh] = names.try_emplace(file);
    if (fresh) named->second = PluginNameOf(file);
    auto& plugins = stacks.back().plugins;
    if (named->second.empty() || (!plugins.empty() && plugins.back() == named->second)) continue;
    plugins.push_back(named->second);
  }
  std::erase_if(stacks, [](const Stack& stack) { return stack.plugins.empty(); });
  return stacks;
}

}  // namespace

void ReportCrashes(int file) {
  g_file = file;
  PrepareThreadForCrashes();
  // Loads the unwinder's library if it is not there yet.
  Walk walk{.tell = PutFile, .frames = kMaxFrames};
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, &walk);
  struct sigaction action {};
  action.sa_sigaction = OnCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
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
    const std::string plugin = PluginNameOf(file);
    if (!plugin.empty()) return out + " in " + plugin;
  }
  return out + (files.empty() ? " in the program itself" : " in " + FileNameOf(files[0]));
}

std::string ReadWhereReport(const std::string& text) {
  const std::vector<Stack> stacks = ReadStacks(text);
  int rank = 0;
  for (const Stack& stack : stacks) rank = std::max(rank, stack.Rank());
  std::set<std::string> named;
  for (const Stack& stack : stacks) {
    if (stack.Rank() == rank) named.insert(stack.plugins.front());
  }
  return fmt::format("{}", fmt::join(named, ", "));
}

}  // namespace tenon::apps::link
