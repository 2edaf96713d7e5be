// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// What a plugin's file says of itself to hosts that have not loaded it, and may never: an ELF note
// (section .note.tenon) that tenon_add_plugin puts in. A host that this file asks too much of
// refuses it without running any of its code. A file without the note is loaded, and then asked.
namespace tenon {

inline constexpr const char* kNoteOwner = "Tenon";
inline constexpr uint32_t kNoteType = 1;

// The note's description: this, and then `text_bytes` bytes of UTF-8, lines "key=value": id,
// version, families (separated by spaces), isa (what the whole file is compiled for, as
// /proc/cpuinfo calls it, separated by spaces), cuda (the major of the CUDA toolkit that it links;
// left out where it links none). Keys that a host does not know are left alone.
struct NoteHead {
  uint32_t abi;  // kAbiVersion
  uint32_t text_bytes;
};

}  // namespace tenon
