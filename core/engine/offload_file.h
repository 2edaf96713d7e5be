// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/engine/prefix_key.h"
#include "tenon/result.h"

namespace tenon::core {

// What the entries of an offload file hold. Another layout or fingerprint is another file.
struct OffloadLayout {
  int32_t block_tokens = 0;
  uint64_t block_bytes = 0;  // K and V of all layers
  int32_t max_tokens = 0;    // of a prefix
  int32_t slots = 0;         // entries at most
  std::string fingerprint;   // of model, pipeline and version: what the bytes depend on besides

  bool operator==(const OffloadLayout&) const = default;
};

// What an entry says of itself: the block that ends a prefix.
struct OffloadEntry {
  PrefixKey key;
  PrefixOwner owner;
  int32_t tokens = 0;  // of the whole prefix
  uint64_t stamp = 0;  // rises with each write: for the order of eviction after a restart
};

// Blocks of K and V in slots of one file:
//   file header: OffloadLayout, the secret of the keys
//   slot:        entry, the whole prefix's tokens, the block's bytes; under one checksum, which
//                starts with the secret. Places are fixed, and the file is sparse.
// A slot is whole or it is a miss: nothing is promised by the order of writes, so that a kill at
// any moment, also in the middle of a write, leaves the old entry, the new one, or none. Thread:
// one, and another for Write and Clear of slots that the first does not look at meanwhile.
class OffloadFile {
 public:
  // Opens the first `offload-<i>.kv` of the folder that no other process holds, or makes it anew
  // where it is of another layout or broken. The folder is made too; both are for their owner
  // alone. kIo: what the system says.
  static Result<std::unique_ptr<OffloadFile>> Open(const std::string& folder,
                                                   const OffloadLayout& layout);
  ~OffloadFile();
  OffloadFile(const OffloadFile&) = delete;
  OffloadFile& operator=(const OffloadFile&) = delete;

  const PrefixSecret& Secret() const { return secret_; }
  const std::string& Path() const { return path_; }

  // What slot `slot` seems to hold; false: nothing. Its tokens and bytes are not looked at.
  bool Peek(int32_t slot, OffloadEntry* entry);

  // False, and nothing of use in `bytes`, unless the slot is whole and holds just this entry with
  // these tokens. REQUIRES: `bytes` holds block_bytes.
  bool Read(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens, Span<char> bytes);

  // False: the system did not take it (the disk is full); the slot is a miss then.
  bool Write(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens,
             Span<const char> bytes);

  // Makes the slot a miss.
  void Clear(int32_t slot);

 private:
  OffloadFile(int file, std::string path, const OffloadLayout& layout);

  bool ReadHeader();
  bool WriteHeader();
  int64_t Offset(int32_t slot) const;
  PrefixKey Sum(const OffloadEntry& entry, Span<const int32_t> tokens,
                Span<const char> bytes) const;

  int file_;
  std::string path_;
  OffloadLayout layout_;
  PrefixSecret secret_{};
  std::vector<char> head_;  // a slot's entry and tokens, as Read finds them
};

}  // namespace tenon::core
