// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/watch.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace tenon::testing {
namespace {

#if defined(__x86_64__)
constexpr uint64_t kSlotTypes[] = {R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT};
#else
constexpr uint64_t kSlotTypes[] = {R_AARCH64_GLOB_DAT, R_AARCH64_JUMP_SLOT};
#endif

// Volatile: the compiler believes that malloc changes neither.
thread_local volatile bool watching = false;
thread_local volatile int64_t counted = 0;

void Count() {
  if (watching) counted = counted + 1;
}

// One function that is led through the kit; Tag keeps those of one type apart.
template <int Tag, typename Result, typename... Arguments>
struct Led {
  using Function = Result(Arguments...);
  static inline Function* original = nullptr;
  static Result Call(Arguments... arguments) {
    Count();
    return original(arguments...);
  }
  static void* Take(void* before) {
    if (original == nullptr) original = reinterpret_cast<Function*>(before);
    return reinterpret_cast<void*>(&Call);
  }
};

struct Name {
  const char* symbol;
  void* (*take)(void* before);  // what the slot is to hold
};

constexpr Name kNames[] = {
    {"malloc", Led<0, void*, size_t>::Take},
    {"calloc", Led<1, void*, size_t, size_t>::Take},
    {"realloc", Led<2, void*, void*, size_t>::Take},
    {"aligned_alloc", Led<3, void*, size_t, size_t>::Take},
    {"memalign", Led<4, void*, size_t, size_t>::Take},
    {"posix_memalign", Led<5, int, void**, size_t, size_t>::Take},
    {"mmap", Led<6, void*, void*, size_t, int, int, int, off_t>::Take},
    {"_Znwm", Led<7, void*, size_t>::Take},
    {"_Znam", Led<8, void*, size_t>::Take},
    {"_ZnwmSt11align_val_t", Led<9, void*, size_t, std::align_val_t>::Take},
    {"_ZnamSt11align_val_t", Led<10, void*, size_t, std::align_val_t>::Take},
    {"_ZnwmRKSt9nothrow_t", Led<11, void*, size_t, const std::nothrow_t&>::Take},
    {"_ZnamRKSt9nothrow_t", Led<12, void*, size_t, const std::nothrow_t&>::Take},
};

// The parts of an object's dynamic section that relocations are found by.
struct Dynamic {
  const char* strings = nullptr;
  const ElfW(Sym) * symbols = nullptr;
  const ElfW(Rela) * tables[2] = {nullptr, nullptr};
  uint64_t bytes[2] = {0, 0};
};

Dynamic ReadDynamic(const dl_phdr_info& info) {
  Dynamic out;
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    if (info.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry =
        reinterpret_cast<const ElfW(Dyn)*>(info.dlpi_addr + info.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      const auto at = reinterpret_cast<const void*>(entry->d_un.d_ptr);
      if (entry->d_tag == DT_STRTAB) out.strings = static_cast<const char*>(at);
      if (entry->d_tag == DT_SYMTAB) out.symbols = static_cast<const ElfW(Sym)*>(at);
      if (entry->d_tag == DT_JMPREL) out.tables[0] = static_cast<const ElfW(Rela)*>(at);
      if (entry->d_tag == DT_RELA) out.tables[1] = static_cast<const ElfW(Rela)*>(at);
      if (entry->d_tag == DT_PLTRELSZ) out.bytes[0] = entry->d_un.d_val;
      if (entry->d_tag == DT_RELASZ) out.bytes[1] = entry->d_un.d_val;
    }
  }
  return out;
}

bool IsSlot(uint64_t type) { return type == kSlotTypes[0] || type == kSlotTypes[1]; }

// The page is read-only after relocation (RELRO).
void Lead(void** slot, const Name& name) {
  const uintptr_t page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t page = reinterpret_cast<uintptr_t>(slot) / page_bytes * page_bytes;
  void* const found = dlsym(RTLD_DEFAULT, name.symbol);
  if (found == nullptr) return;
  if (mprotect(reinterpret_cast<void*>(page), page_bytes, PROT_READ | PROT_WRITE) != 0) return;
  *slot = name.take(found);
}

int LeadObject(dl_phdr_info* info, size_t, void*) {
  const char* path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  for (const char* own :
       {"/libc.so", "/ld-linux", "linux-vdso", "/libasan", "/libtsan", "/libubsan"}) {
    if (std::strstr(path, own) != nullptr) return 0;
  }
  const Dynamic dynamic = ReadDynamic(*info);
  if (dynamic.strings == nullptr || dynamic.symbols == nullptr) return 0;
  for (int t = 0; t < 2; ++t) {
    const uint64_t count = dynamic.tables[t] == nullptr ? 0 : dynamic.bytes[t] / sizeof(ElfW(Rela));
    for (uint64_t i = 0; i < count; ++i) {
      const ElfW(Rela)& entry = dynamic.tables[t][i];
      if (!IsSlot(ELF64_R_TYPE(entry.r_info))) continue;
      const char* symbol = dynamic.strings + dynamic.symbols[ELF64_R_SYM(entry.r_info)].st_name;
      for (const Name& name : kNames) {
        if (std::strcmp(symbol, name.symbol) == 0) {
          Lead(reinterpret_cast<void**>(info->dlpi_addr + entry.r_offset), name);
        }
      }
    }
  }
  return 0;
}

}  // namespace

AllocationWatch::AllocationWatch() {
  static std::once_flag once;
  std::call_once(once, [] { dl_iterate_phdr(LeadObject, nullptr); });
  counted = 0;
  watching = true;
}

AllocationWatch::~AllocationWatch() { watching = false; }

int64_t AllocationWatch::count() const { return counted; }

bool AllocationWatch::Works() {
  const AllocationWatch watch;
  void* volatile memory = std::malloc(100);
  std::free(memory);
  return watch.count() > 0;
}

}  // namespace tenon::testing
