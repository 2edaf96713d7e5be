// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <random>

#include "core/engine/offload_store.h"
#include "core/engine/scratch_folder_test.h"

namespace tenon::core {
namespace {

using testing::ScratchFolder;

const OffloadLayout kLayout = {.block_tokens = 2,
                               .block_bytes = 100,
                               .max_tokens = 8,
                               .slots = 4,
                               .fingerprint = "model and pipeline"};
const PrefixOwner kOwner = {7, 1};

// Entry `i`: a prefix of 2, 4, 6 or 8 tokens and bytes that tell of it.
struct Made {
  explicit Made(int32_t i) : key{static_cast<uint64_t>(i), 99} {
    for (int32_t t = 0; t < 2 + i % 4 * 2; ++t) tokens.push_back(i * 10 + t);
    for (int32_t b = 0; b < 100; ++b) bytes.push_back(static_cast<char>(i * 31 + b));
  }
  Span<const int32_t> Tokens() const { return {tokens.data(), tokens.size()}; }
  Span<const char> Bytes() const { return {bytes.data(), bytes.size()}; }

  PrefixKey key;
  std::vector<int32_t> tokens;
  std::vector<char> bytes;
};

std::unique_ptr<OffloadStore> Open(const std::string& folder, OffloadLayout layout = kLayout) {
  auto store = OffloadStore::Open(folder, layout);
  EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().message);
  return store.ok() ? std::move(*store) : nullptr;
}

void Put(OffloadStore& store, int32_t i) {
  const Made made(i);
  store.Put(made.key, kOwner, made.Tokens(), made.Bytes());
}

// Whether the store gives entry `i`; what it gives is right.
bool Gives(OffloadStore& store, int32_t i) {
  const Made made(i);
  std::vector<char> got(100);
  if (!store.Get(made.key, kOwner, made.Tokens(), {got.data(), got.size()})) return false;
  EXPECT_EQ(got, made.bytes) << i;
  return true;
}

TEST(OffloadStore, GivesWhatWasPut) {
  const ScratchFolder folder;
  const auto store = Open(folder.path());
  for (int32_t i = 0; i < 4; ++i) Put(*store, i);
  for (int32_t i = 0; i < 4; ++i) EXPECT_TRUE(Gives(*store, i));
  EXPECT_FALSE(Gives(*store, 4));
}

TEST(OffloadStore, GivesOnlyTheSamePrefixOfTheSameOwner) {
  const ScratchFolder folder;
  const Made made(2);
  for (const bool other_token : {false, true}) {
    const auto store = Open(folder.path());
    Put(*store, 2);
    std::vector<char> got(100);
    const PrefixOwner owner = other_token ? kOwner : PrefixOwner{8, 1};
    std::vector<int32_t> tokens = made.tokens;
    if (other_token) ++tokens[0];
    EXPECT_FALSE(store->Get(made.key, owner, {tokens.data(), tokens.size()}, {got.data(), 100}));
  }
}

TEST(OffloadStore, DropsWhatWasUnusedForLongest) {
  const ScratchFolder folder;
  const auto store = Open(folder.path());
  for (int32_t i = 0; i < 4; ++i) Put(*store, i);
  store->Touch(Made(0).key);
  Put(*store, 5);
  Put(*store, 2);  // is there: used again
  Put(*store, 6);
  EXPECT_EQ(store->Size(), 4);
  for (const int32_t gone : {1, 3}) EXPECT_FALSE(Gives(*store, gone)) << gone;
  for (const int32_t kept : {0, 2, 5, 6}) EXPECT_TRUE(Gives(*store, kept)) << kept;
}

TEST(OffloadStore, FindsAgainWhatTheLastProcessLeft) {
  const ScratchFolder folder;
  for (int32_t i = 0; i < 5; ++i) Put(*Open(folder.path()), i);
  const auto store = Open(folder.path());
  EXPECT_FALSE(Gives(*store, 0));
  for (int32_t i = 1; i < 5; ++i) EXPECT_TRUE(Gives(*store, i));
}

TEST(OffloadStore, StartsAnewForAnotherModelOrLayout) {
  const ScratchFolder folder;
  PrefixSecret secret;
  {
    const auto store = Open(folder.path());
    Put(*store, 1);
    secret = store->Secret();
  }
  for (const int change : {0, 1, 2}) {
    OffloadLayout layout = kLayout;
    if (change == 0) layout.fingerprint = "another";
    if (change == 1) layout.slots = 5;
    const auto store = Open(folder.path(), layout);
    EXPECT_EQ(store->Size(), 0);
    EXPECT_NE(store->Secret(), secret);
    Put(*store, 1);
  }
}

TEST(OffloadStore, TwoAtATimeHaveFilesOfTheirOwn) {
  const ScratchFolder folder;
  const auto a = Open(folder.path());
  const auto b = Open(folder.path());
  EXPECT_NE(a->Path(), b->Path());
  Put(*a, 1);
  EXPECT_FALSE(Gives(*b, 1));
  EXPECT_TRUE(Gives(*a, 1));
}

TEST(OffloadStore, IsForItsOwnerAlone) {
  const ScratchFolder folder;
  const auto store = Open(folder.path() + "/inner");
  using std::filesystem::perms;
  const auto bits = [](const std::string& path) {
    return std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all);
  };
  EXPECT_EQ(bits(store->Path()), perms::none);
  EXPECT_EQ(bits(folder.path() + "/inner"), perms::none);
}

// Bytes all over the file, one after the other.
TEST(OffloadStore, ABrokenEntryIsAMiss) {
  const ScratchFolder folder;
  std::string path;
  {
    const auto store = Open(folder.path());
    for (int32_t i = 0; i < 4; ++i) Put(*store, i);
    path = store->Path();
  }
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  int32_t misses = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    if (at % 4096 >= 160 || at % 7 != 0) continue;  // holes, and to save time
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x41);
    std::ofstream(path, std::ios::binary) << broken;
    const auto store = Open(folder.path());
    for (int32_t i = 0; i < 4; ++i) misses += Gives(*store, i) ? 0 : 1;
  }
  EXPECT_GT(misses, 4 * 20);
}

TEST(OffloadStore, ATruncatedFileGivesWhatIsWholeAndTakesNewEntries) {
  for (int64_t bytes = 0; bytes < 4096 * 8; bytes += 777) {
    const ScratchFolder folder;
    std::string path;
    {
      const auto store = Open(folder.path());
      for (int32_t i = 0; i < 4; ++i) Put(*store, i);
      path = store->Path();
    }
    std::filesystem::resize_file(path, static_cast<uint64_t>(bytes));
    const auto store = Open(folder.path());
    int32_t found = 0;
    for (int32_t i = 0; i < 4; ++i) found += Gives(*store, i) ? 1 : 0;
    EXPECT_LT(found, 4);
    for (int32_t i = 5; i < 9; ++i) Put(*store, i);
    for (int32_t i = 5; i < 9; ++i) EXPECT_TRUE(Gives(*store, i)) << bytes;
  }
}

// Killed while it writes, again and again: what is found afterwards is right.
TEST(OffloadStore, AKillAtAnyMomentLeavesWholeEntriesOrMisses) {
  const ScratchFolder folder;
  OffloadLayout layout = kLayout;
  layout.block_bytes = 200'000;
  const auto bytes_of = [&](uint64_t i) { return std::vector<char>(layout.block_bytes, char(i)); };
  const std::vector<int32_t> tokens = {1, 2};
  int32_t found = 0;
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      auto store = OffloadStore::Open(folder.path(), layout);
      for (uint64_t i = 0; store.ok(); ++i) {
        const auto bytes = bytes_of(i % 60);
        (*store)->Put({i % 60, 0}, kOwner, {tokens.data(), 2}, {bytes.data(), bytes.size()});
      }
      _exit(1);
    }
    usleep(500 + random() % 8000);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto store = Open(folder.path(), layout);
    ASSERT_NE(store, nullptr);
    std::vector<char> got(layout.block_bytes);
    for (uint64_t i = 0; i < 60; ++i) {
      if (!store->Get({i, 0}, kOwner, {tokens.data(), 2}, {got.data(), got.size()})) continue;
      ++found;
      ASSERT_EQ(got, bytes_of(i));
    }
  }
  EXPECT_GT(found, 40);
}

TEST(OffloadStore, AFullDiskIsAMissAndIsCounted) {
  const ScratchFolder folder;
  const auto store = Open(folder.path());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = 4096 * 4;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (int32_t i = 0; i < 4; ++i) Put(*store, i);
  store->Flush();
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_GT(store->Failures(), 0);
  EXPECT_EQ(store->Size() + store->Failures(), 4);
  Put(*store, 3);
  EXPECT_TRUE(Gives(*store, 3));
}

// A disk that takes nothing for a while.
TEST(OffloadStore, GivesWhatWaitsToBeWrittenAndTakesNoMoreThanABound) {
  const ScratchFolder folder;
  OffloadLayout layout = kLayout;
  layout.block_bytes = 24 << 20;
  std::promise<void> go;
  auto store =
      OffloadStore::Open(folder.path(), layout, [gone = go.get_future().share()] { gone.wait(); });
  ASSERT_TRUE(store.ok());
  const std::vector<int32_t> tokens = {1, 2};
  std::vector<char> bytes(layout.block_bytes), got(layout.block_bytes);
  const auto put = [&](uint64_t i) {
    bytes.assign(bytes.size(), static_cast<char>(i));
    return (*store)->Put({i, 0}, kOwner, {tokens.data(), 2}, {bytes.data(), bytes.size()});
  };
  const auto gives = [&](uint64_t i, int32_t second = 2) {
    const std::vector<int32_t> asked = {1, second};
    return (*store)->Get({i, 0}, kOwner, {asked.data(), 2}, {got.data(), got.size()}) &&
           got == std::vector<char>(got.size(), static_cast<char>(i));
  };
  EXPECT_TRUE(put(1) && put(2));
  EXPECT_FALSE(put(3));
  EXPECT_TRUE(gives(1) && gives(2));
  EXPECT_FALSE(gives(3));
  EXPECT_FALSE(gives(1, 7));
  go.set_value();
  (*store)->Flush();
  EXPECT_TRUE(gives(2));
  EXPECT_FALSE(gives(1));  // somebody asked for other tokens: it was dropped
  EXPECT_TRUE(put(3) && gives(3));
}

TEST(OffloadStore, SaysWhyAFolderIsOfNoUse) {
  const ScratchFolder folder;
  std::ofstream(folder.path() + "/file") << "x";
  const auto store = OffloadStore::Open(folder.path() + "/file/inner", kLayout);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().status, Status::kIo);
  EXPECT_NE(store.error().message.find("memory.offload"), std::string::npos);
}

}  // namespace
}  // namespace tenon::core
