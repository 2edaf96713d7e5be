// SPDX-License-Identifier: Apache-2.0
#include "apps/record/record_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/record/record_reader.h"

namespace tenon::apps::record {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A folder that goes away with it.
struct Folder {
  Folder() {
    std::string name = ::testing::TempDir() + "tenon-record-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path + "/r")) {
      files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::string Text() const {
    std::string text;
    for (const std::string& file : Files()) {
      std::ifstream in(file, std::ios::binary);
      text.append(std::istreambuf_iterator<char>(in), {});
    }
    return text;
  }
  std::string path;
};

RecordedRequest Asked(int64_t arrival_us, size_t tokens = 3) {
  RecordedRequest request;
  request.arrival_us = arrival_us;
  request.request.id = "r" + std::to_string(arrival_us);
  request.request.prompt = {1, 2};
  request.request.cache_salt = 4242;
  request.request.user_text = "CANARY";
  request.choices.resize(1);
  request.choices[0].tokens.assign(tokens, 7);
  request.choices[0].end = End::kStop;
  return request;
}

std::unique_ptr<RecordWriter> Open(const Folder& folder, RecordOptions options = {}) {
  options.folder = folder.path + "/r";
  auto writer = RecordWriter::Open(std::move(options));
  EXPECT_TRUE(writer.ok()) << writer.error().message;
  return std::move(*writer);
}

std::string TextOfIds(std::span<const int32_t> ids) { return std::to_string(ids.size()) + " ids"; }

TEST(RecordWriter, WhatIsWrittenIsRead) {
  const Folder folder;
  {
    const auto writer = Open(folder);
    EXPECT_EQ(writer->AddEngine({.number = 0, .model = "m", .pipeline = "p", .identity = {}}, {}),
              0);
    for (int i = 0; i < 100; ++i) writer->Keep(Asked(i));
    EXPECT_EQ(writer->LeftOut(), 0);
  }
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_EQ(run->requests.size(), 100u);
  EXPECT_EQ(run->requests[99].request.id, "r99");
  EXPECT_EQ(run->requests[0].choices[0].tokens.size(), 3u);
  ASSERT_EQ(run->engines.size(), 1u);
  EXPECT_EQ(run->engines[0].model, "m");
  EXPECT_FALSE(run->torn || run->begins_late || run->text);
}

TEST(RecordWriter, KeepsNoTextUnlessAsked) {
  const Folder folder;
  {
    const auto writer = Open(folder);
    writer->AddEngine({}, TextOfIds);
    writer->Keep(Asked(1));
  }
  EXPECT_THAT(folder.Text(), Not(HasSubstr("CANARY")));
  EXPECT_THAT(folder.Text(), Not(HasSubstr("ids")));
  const Folder other;
  {
    const auto writer = Open(other, {.text = true});
    writer->AddEngine({}, TextOfIds);
    writer->Keep(Asked(1));
  }
  EXPECT_THAT(other.Text(), HasSubstr("CANARY"));
  EXPECT_THAT(other.Text(), HasSubstr("\"prompt_text\":\"2 ids\""));
  EXPECT_THAT(other.Text(), HasSubstr("\"text\":\"3 ids\""));
}

TEST(RecordWriter, OnlyItsOwnerMayRead) {
  const Folder folder;
  Open(folder)->AddEngine({}, {});
  struct stat status {};
  ASSERT_EQ(stat((folder.path + "/r").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(folder.Files().front().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(RecordWriter, SaltsStayApartAndAreOthers) {
  const Folder folder;
  {
    const auto writer = Open(folder);
    writer->AddEngine({}, {});
    RecordedRequest other = Asked(2);
    other.request.cache_salt = 4243;
    RecordedRequest none = Asked(3);
    none.request.cache_salt = 0;
    writer->Keep(Asked(0));
    writer->Keep(Asked(1));
    writer->Keep(std::move(other));
    writer->Keep(std::move(none));
  }
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_TRUE(run.ok());
  const auto salt = [&](size_t i) { return run->requests[i].request.cache_salt; };
  EXPECT_EQ(salt(0), salt(1));
  EXPECT_NE(salt(0), salt(2));
  EXPECT_NE(salt(0), 4242u);
  EXPECT_EQ(salt(3), 0u);
}

TEST(RecordWriter, TheOldestFileGoesWhereTheLimitIsReached) {
  const Folder folder;
  {
    const auto writer = Open(folder, {.most_mib = 1});
    writer->AddEngine({.number = 0, .model = "kept", .pipeline = "", .identity = {}}, {});
    for (int i = 0; i < 60; ++i) writer->Keep(Asked(i, 20000));  // 40 KB each
  }
  int64_t bytes = 0;
  for (const std::string& file : folder.Files()) {
    bytes += static_cast<int64_t>(std::filesystem::file_size(file));
  }
  EXPECT_LE(bytes, 1 << 20);
  EXPECT_GE(bytes, 1 << 19);
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_TRUE(run->begins_late);
  EXPECT_EQ(run->engines.front().model, "kept");
  EXPECT_EQ(run->requests.back().arrival_us, 59);
}

TEST(RecordWriter, CountsWhatItLeavesOut) {
  const Folder folder;
  std::string problem;
  {
    const auto writer = Open(
        folder, {.most_waiting_bytes = 1, .on_problem = [&](const auto& text) { problem = text; }});
    writer->AddEngine({}, {});
    for (int i = 0; i < 5; ++i) writer->Keep(Asked(i));
    EXPECT_EQ(writer->LeftOut(), 5);
  }
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_EQ(run->left_out, 5);
  EXPECT_TRUE(run->requests.empty());
  EXPECT_THAT(problem, HasSubstr("faster than they can be recorded"));
}

// A disk that is full is a file that may not grow.
TEST(RecordWriter, GoesOnWhereADiskWasFull) {
  const Folder folder;
  std::string problem;
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{4096, limit.rlim_max};
  {
    const auto writer = Open(folder, {.on_problem = [&](const auto& text) { problem = text; }});
    writer->AddEngine({}, {});
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    writer->Keep(Asked(0, 5000));
    while (writer->LeftOut() == 0) std::this_thread::yield();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    writer->Keep(Asked(1));
  }
  std::signal(SIGXFSZ, before);
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_EQ(run->left_out, 1);
  ASSERT_EQ(run->requests.size(), 1u);
  EXPECT_EQ(run->requests[0].arrival_us, 1);
  EXPECT_THAT(problem, HasSubstr("cannot be written"));
}

TEST(RecordReader, ReadsUpToTheLastWholeLine) {
  const Folder folder;
  {
    const auto writer = Open(folder);
    writer->AddEngine({}, {});
    for (int i = 0; i < 3; ++i) writer->Keep(Asked(i));
  }
  const std::string file = folder.Files().front();
  const auto size = std::filesystem::file_size(file);
  for (const uintmax_t cut : {uintmax_t{1}, uintmax_t{20}}) {
    std::filesystem::resize_file(file, size - cut);
    const auto run = ReadRun(folder.path + "/r", "");
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_TRUE(run->torn);
    EXPECT_EQ(run->requests.size(), 2u);
  }
  std::filesystem::resize_file(file, 0);
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_TRUE(run->torn && run->requests.empty());
}

TEST(RecordReader, NamesFileAndLineOfWhatIsWrong) {
  const Folder folder;
  std::string name;
  {
    const auto writer = Open(folder);
    name = writer->run();
    writer->AddEngine({}, {});
    writer->Keep(Asked(0));
  }
  const std::string file = folder.Files().front();
  std::ofstream(file, std::ios::app) << "{\"request\":{}}\n";
  const auto run = ReadRun(folder.path + "/r", "");
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().message, file + ":4: prompt has no tokens");

  std::ofstream(file) << "{\"request\":{\"prompt\":[1],\"choices\":[{\"end\":\"stop\"}]}}\n";
  EXPECT_THAT(ReadRun(folder.path + "/r", "").error().message,
              HasSubstr(":1: no head of a recording's file"));

  std::ofstream(file) << "{\"recording\":{\"format\":1,\"file\":2,\"run\":\"" << name << "\"}}\n";
  EXPECT_THAT(ReadRun(folder.path + "/r", "").error().message, HasSubstr("this is file 2"));

  std::ofstream(file) << "{\"recording\":{\"format\":1,\"file\":1,\"run\":\"" << name
                      << "\"}}\n{\"request\":{\"prompt\":[1],\"choices\":[{\"end\":\"stop\"}]}}\n";
  EXPECT_THAT(ReadRun(folder.path + "/r", "").error().message,
              HasSubstr(":2: engine 0 is not described before it"));

  std::filesystem::rename(file, folder.path + "/r/" + RecordFileName(name, 3));
  std::ofstream(file) << "\n";
  EXPECT_THAT(ReadRun(folder.path + "/r", "").error().message, HasSubstr("-0002.jsonl is missing"));
}

TEST(RecordReader, RunsAreFoundByName) {
  const Folder folder;
  const std::string first = Open(folder)->run();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const std::string second = Open(folder)->run();
  EXPECT_EQ(ReadRun(folder.path + "/r", "")->name, second);
  EXPECT_EQ(ReadRun(folder.path + "/r", first)->name, first);
  const auto missing = ReadRun(folder.path + "/r", "none");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, HasSubstr("there are " + first + ", " + second));
  EXPECT_THAT(ReadRun(folder.path, "").error().message, HasSubstr("holds no recording"));
  EXPECT_THAT(ReadRun(folder.path + "/nowhere", "").error().message, HasSubstr("no folder"));
}

}  // namespace
}  // namespace tenon::apps::record
