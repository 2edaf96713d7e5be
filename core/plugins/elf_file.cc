// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/elf_file.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <vector>

namespace tenon::core {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kThisMachine = EM_X86_64;
#else
constexpr Elf64_Half kThisMachine = EM_AARCH64;
#endif

// Whether bytes [offset, offset + bytes) lie in a file of `size` bytes.
bool Within(uint64_t offset, uint64_t bytes, uint64_t size) {
  return offset <= size && bytes <= size - offset;
}

bool ReadAt(std::ifstream& in, uint64_t offset, void* to, uint64_t bytes) {
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  return in.good();
}

}  // namespace

std::string CheckElfFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) return "it cannot be read";
  const auto size = static_cast<uint64_t>(in.tellg());
  Elf64_Ehdr header;
  if (size < sizeof(header)) return "it is no shared object";
  if (!ReadAt(in, 0, &header, sizeof(header))) return "it cannot be read";
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "it is no shared object";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kThisMachine) {
    return "it is built for another kind of machine";
  }
  if (header.e_type != ET_DYN) return "it is no shared object";
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) return "it is damaged";
  const uint64_t table_bytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!Within(header.e_phoff, table_bytes, size) ||
      !ReadAt(in, header.e_phoff, segments.data(), table_bytes)) {
    return "it is cut off";
  }
  for (const Elf64_Phdr& segment : segments) {
    if (!Within(segment.p_offset, segment.p_filesz, size)) return "it is cut off";
  }
  return "";
}

}  // namespace tenon::core
