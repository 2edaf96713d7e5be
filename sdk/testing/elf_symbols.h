// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tenon/testing/verdict.h"

// What a shared object says of its symbols, read without loading it.
namespace tenon::testing {

// One entry of the dynamic symbol table (System V ABI, "Symbol Table").
struct ElfSymbol {
  std::string name;
  bool defined;
  bool unique;  // STB_GNU_UNIQUE: one for all objects of the process
  bool visible;
};

// The dynamic symbols of `file`; `wrong` says why they cannot be read, else it is "".
std::vector<ElfSymbol> ReadDynamicSymbols(const std::string& file, std::string* wrong);

// Only the entry is exported.
Verdict CheckExports(const std::string& file);
// It asks for no symbol of Tenon's: the host gives it everything through Host.
Verdict CheckUndefined(const std::string& file);
// It has no unique symbols: two builds of one plugin would share their state through them.
Verdict CheckUnique(const std::string& file);

}  // namespace tenon::testing
