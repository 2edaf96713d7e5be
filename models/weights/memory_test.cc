// SPDX-License-Identifier: Apache-2.0
// What reading a hostile file may cost: at most 64 MiB + 4 x its size, counted at operator new.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <new>

#include "gtest/gtest.h"
#include "models/testing/gguf_visit.h"
#include "models/testing/gguf_writer.h"
#include "models/testing/hostile.h"
#include "models/testing/safetensors_writer.h"
#include "models/weights/config.h"
#include "models/weights/safetensors.h"
#include "models/weights/safetensors_header.h"

namespace {

std::atomic<int64_t> held_bytes{0};
std::atomic<int64_t> peak_bytes{0};

void* Counted(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  const int64_t held = held_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  int64_t peak = peak_bytes;
  while (held > peak && !peak_bytes.compare_exchange_weak(peak, held)) {
  }
  return memory;
}

void Release(void* memory) {
  if (memory != nullptr) held_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) { return Counted(size); }
void* operator new[](size_t size) { return Counted(size); }
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete[](void* memory) noexcept { Release(memory); }
void operator delete(void* memory, size_t) noexcept { Release(memory); }
void operator delete[](void* memory, size_t) noexcept { Release(memory); }

namespace tenon::models {
namespace {

using testing::GgufWriter;
using testing::SafetensorsBytes;
using testing::SeedGguf;
using testing::SeedSafetensors;

// Runs `read` and expects it to stay within the bound for a file of `size` bytes, and a second (ten
// under a sanitizer).
template <typename Read>
void ExpectBounded(size_t size, const std::string& what, Read read) {
  const int64_t before = held_bytes;
  peak_bytes = before;
  const std::clock_t start = std::clock();  // of the processor: other work does not count
  read();
  const double took_s = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_LE(peak_bytes - before, (int64_t{64} << 20) + 4 * static_cast<int64_t>(size)) << what;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_LT(took_s, 10) << what;
#else
  EXPECT_LT(took_s, 1) << what;
#endif
}

void ExpectGgufBounded(std::span<const std::byte> bytes, const std::string& what) {
  ExpectBounded(bytes.size(), what, [&] {
    const Result<GgufFile> file = GgufFile::Read(bytes, "m.gguf");
    if (file.ok()) testing::VisitEverything(*file);
  });
}

void ExpectSafetensorsBounded(std::span<const std::byte> bytes, const std::string& what) {
  ExpectBounded(bytes.size(), what, [&] {
    const Result<SafetensorsFile> file = SafetensorsFile::Read(bytes, "m.safetensors");
    EXPECT_TRUE(file.ok() || !file.error().message.empty()) << what;
  });
}

TEST(Memory, CountsWhatIsAllocated) {
  const int64_t before = held_bytes;
  peak_bytes = before;
  delete[] new char[1000000];
  EXPECT_GE(peak_bytes - before, 1000000);
  EXPECT_EQ(held_bytes, before);
}

TEST(Memory, DamagedGgufStaysBounded) {
  const GgufWriter seed = SeedGguf();
  testing::EachPrefix(seed.Bytes(),
                      [](auto bytes, const auto& what) { ExpectGgufBounded(bytes, what); });
  testing::EachByteChanged(seed.Bytes(), seed.HeaderBytes(),
                           [](auto bytes, const auto& what) { ExpectGgufBounded(bytes, what); });
}

TEST(Memory, DamagedSafetensorsStaysBounded) {
  const std::string seed = SeedSafetensors();
  testing::EachPrefix(seed,
                      [](auto bytes, const auto& what) { ExpectSafetensorsBounded(bytes, what); });
  testing::EachByteChanged(seed, seed.size() - 44, [](auto bytes, const auto& what) {
    ExpectSafetensorsBounded(bytes, what);
  });
}

TEST(Memory, GgufOfManySmallThingsStaysBounded) {
  GgufWriter pairs;
  for (int i = 0; i < 65536; ++i) {
    pairs.Number<uint8_t>(std::to_string(i), GgufType::kU8, 1);
  }
  std::string bytes = pairs.Bytes();
  ExpectGgufBounded(std::as_bytes(std::span(bytes)), "many keys");
  GgufWriter tensors;
  for (int i = 0; i < 100000; ++i) tensors.TensorAt(std::to_string(i), {1}, 0, uint64_t(i) * 32);
  bytes = tensors.Bytes() + std::string(3200000 + 32, '\0');
  ExpectGgufBounded(std::as_bytes(std::span(bytes)), "many tensors");
  GgufWriter texts;
  texts.Raw("k", GgufType::kArray,
            GgufWriter::ArrayHead(GgufType::kString, 4000000) + std::string(32000000, '\0'));
  bytes = texts.Bytes();
  ExpectGgufBounded(std::as_bytes(std::span(bytes)), "many empty strings");
  GgufWriter arrays;
  std::string nested = GgufWriter::ArrayHead(GgufType::kArray, 2000000);
  for (int i = 0; i < 2000000; ++i) nested += GgufWriter::ArrayHead(GgufType::kU8, 0);
  arrays.Raw("k", GgufType::kArray, nested);
  bytes = arrays.Bytes();
  ExpectGgufBounded(std::as_bytes(std::span(bytes)), "many empty arrays");
}

TEST(Memory, SafetensorsOfManySmallThingsStaysBounded) {
  std::string header = "{";
  for (int i = 0; i < 100000; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
              R"(":{"dtype":"F32","shape":[],"data_offsets":[)" + std::to_string(4 * i) + "," +
              std::to_string(4 * i + 4) + "]}";
  }
  std::string bytes = SafetensorsBytes(header + "}", std::string(400000, '\0'));
  ExpectSafetensorsBounded(std::as_bytes(std::span(bytes)), "many tensors");
  bytes = SafetensorsBytes("{\"" + std::string(20000000, 'x') + "\":1}", "");
  ExpectSafetensorsBounded(std::as_bytes(std::span(bytes)), "a long name");
  bytes = SafetensorsBytes("{\"a\":" + std::string(20000000, '[') + "}", "");
  ExpectSafetensorsBounded(std::as_bytes(std::span(bytes)), "deep lists");
  bytes = std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10);
  ExpectSafetensorsBounded(std::as_bytes(std::span(bytes)), "a huge header length");
}

TEST(Memory, SmallJsonFilesStayBounded) {
  std::string list = "{\"a\":[";
  while (list.size() < (1 << 20) - 8) list += "[],";
  list += "0]}";
  ExpectBounded(list.size(), "config of empty lists",
                [&] { EXPECT_TRUE(ConfigFile::Parse(list, "config.json").ok()); });
  std::string map = R"({"weight_map":{)";
  for (int i = 0; i < 500000; ++i) map += "\"" + std::to_string(i) + "\":\"f\",";
  map += R"("x":"f"}})";
  ExpectBounded(map.size(), "index of many names",
                [&] { EXPECT_EQ(ReadShardNames(map, "index")->size(), 1u); });
}

}  // namespace
}  // namespace tenon::models
