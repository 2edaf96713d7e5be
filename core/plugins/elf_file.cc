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

// Reads the program headers; why not, or "".
std::string ReadSegments(std::ifstream& in, std::vector<Elf64_Phdr>& segments) {
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
  segments.resize(header.e_phnum);
  if (!Within(header.e_phoff, table_bytes, size) ||
      !ReadAt(in, header.e_phoff, segments.data(), table_bytes)) {
    return "it is cut off";
  }
  for (const Elf64_Phdr& segment : segments) {
    if (!Within(segment.p_offset, segment.p_filesz, size)) return "it is cut off";
  }
  return "";
}

// The largest segment of notes that is looked at.
constexpr uint64_t kMostNoteBytes = 1 << 20;

std::optional<std::string> FindNote(std::string_view notes, std::string_view owner, uint32_t type) {
  const auto aligned = [](uint64_t bytes) { return (bytes + 3) / 4 * 4; };
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    std::memcpy(&header, notes.data(), sizeof(header));
    notes.remove_prefix(sizeof(header));
    const uint64_t name_bytes = aligned(header.n_namesz);
    const uint64_t whole = name_bytes + aligned(header.n_descsz);
    if (whole > notes.size()) return std::nullopt;
    const std::string_view name = notes.substr(0, header.n_namesz);
    if (header.n_type == type && name == std::string(owner) + '\0') {
      return std::string(notes.substr(name_bytes, header.n_descsz));
    }
    notes.remove_prefix(whole);
  }
  return std::nullopt;
}

}  // namespace

std::string CheckElfFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  std::vector<Elf64_Phdr> segments;
  return ReadSegments(in, segments);
}

std::optional<std::string> ReadElfNote(const std::string& file, std::string_view owner,
                                       uint32_t type) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  std::vector<Elf64_Phdr> segments;
  if (!ReadSegments(in, segments).empty()) return std::nullopt;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_NOTE || segment.p_filesz > kMostNoteBytes) continue;
    std::string notes(segment.p_filesz, '\0');
    if (!ReadAt(in, segment.p_offset, notes.data(), notes.size())) continue;
    if (auto found = FindNote(notes, owner, type)) return found;
  }
  return std::nullopt;
}

}  // namespace tenon::core
