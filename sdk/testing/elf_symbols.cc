// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/elf_symbols.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace tenon::testing {
namespace {

constexpr uint64_t kMostBytes = uint64_t{4} << 30;

// A file in memory, of which only what lies inside is ever read.
class Image {
 public:
  explicit Image(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  std::optional<T> At(uint64_t offset) const {
    if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset) return std::nullopt;
    T out;
    std::memcpy(&out, bytes_.data() + offset, sizeof(T));
    return out;
  }
  std::string TextAt(uint64_t offset) const {
    if (offset >= bytes_.size()) return "";
    return std::string(bytes_.data() + offset,
                       strnlen(bytes_.data() + offset, bytes_.size() - offset));
  }

 private:
  std::string bytes_;
};

std::string ReadAll(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in || static_cast<uint64_t>(in.tellg()) > kMostBytes) return "";
  in.seekg(0);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::optional<Elf64_Shdr> SectionAt(const Image& image, const Elf64_Ehdr& header, uint64_t i) {
  if (i >= header.e_shnum || header.e_shoff > kMostBytes) return std::nullopt;
  return image.At<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr));
}

std::optional<Elf64_Shdr> DynamicSymbols(const Image& image, const Elf64_Ehdr& header) {
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    const auto section = SectionAt(image, header, i);
    if (section && section->sh_type == SHT_DYNSYM && section->sh_offset <= kMostBytes) {
      return section;
    }
  }
  return std::nullopt;
}

// The linker's own names, which some of them export.
bool IsLinkers(const std::string& name) {
  for (const char* own : {"_init", "_fini", "_edata", "_end", "__bss_start"}) {
    if (name == own) return true;
  }
  return false;
}

// tenon:: in a mangled name, and the C names that begin so.
bool IsTenons(const std::string& name) {
  return name.find("5tenon") != std::string::npos || name.rfind("tenon_", 0) == 0;
}

std::string List(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < 5; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > 5) text += Text(", … (%zu in all)", names.size());
  return text;
}

template <typename Wanted>
Verdict NoSuchSymbols(const std::string& file, const char* what, Wanted wanted) {
  std::string wrong;
  std::vector<std::string> names;
  const std::vector<ElfSymbol> symbols = ReadDynamicSymbols(file, &wrong);
  if (!wrong.empty()) return Failed(wrong);
  for (const ElfSymbol& symbol : symbols) {
    if (wanted(symbol)) names.push_back(symbol.name);
  }
  return names.empty() ? Passed() : Failed(what + List(names));
}

}  // namespace

std::vector<ElfSymbol> ReadDynamicSymbols(const std::string& file, std::string* wrong) {
  const Image image(ReadAll(file));
  const auto header = image.At<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_type != ET_DYN) {
    *wrong = "it is no 64-bit shared object";
    return {};
  }
  const auto table = DynamicSymbols(image, *header);
  const auto names = table ? SectionAt(image, *header, table->sh_link) : std::nullopt;
  if (!names || names->sh_offset > kMostBytes) {
    *wrong = "it has no readable table of dynamic symbols";
    return {};
  }
  std::vector<ElfSymbol> symbols;
  for (uint64_t at = sizeof(Elf64_Sym); at < table->sh_size; at += sizeof(Elf64_Sym)) {
    const auto symbol = image.At<Elf64_Sym>(table->sh_offset + at);
    if (!symbol) break;
    const unsigned bind = ELF64_ST_BIND(symbol->st_info);
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    symbols.push_back(
        {image.TextAt(names->sh_offset + symbol->st_name), symbol->st_shndx != SHN_UNDEF,
         bind == STB_GNU_UNIQUE,
         bind != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED)});
  }
  return symbols;
}

Verdict CheckExports(const std::string& file) {
  std::string wrong;
  bool entry = false;
  for (const ElfSymbol& s : ReadDynamicSymbols(file, &wrong)) {
    entry = entry || (s.defined && s.name == kEntrySymbol);
  }
  if (!wrong.empty()) return Failed(wrong);
  if (!entry) return Failed(std::string("exports no ") + kEntrySymbol);
  return NoSuchSymbols(file, "exports more than its entry: ", [](const ElfSymbol& s) {
    return s.defined && s.visible && s.name != kEntrySymbol && !IsLinkers(s.name);
  });
}

Verdict CheckUndefined(const std::string& file) {
  return NoSuchSymbols(file, "has undefined symbols of Tenon's: ", [](const ElfSymbol& s) {
    return !s.defined && IsTenons(s.name);
  });
}

Verdict CheckUnique(const std::string& file) {
  return NoSuchSymbols(file, "has unique symbols (build it with -fno-gnu-unique): ",
                       [](const ElfSymbol& s) { return s.defined && s.unique; });
}

}  // namespace tenon::testing
