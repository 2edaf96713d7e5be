// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <random>

#include "tests/link/served_fleet.h"

namespace tenon::apps::testing {
namespace {

using core::FinishReason;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The promises are for a machine that does nothing else (tests/server/worker_loss_test.py --strict
// holds them there); a busy one gets ten times as much.
constexpr int kBusy = 10;
constexpr auto kEndWithin = kBusy * std::chrono::seconds(2);
constexpr auto kServeWithin = kBusy * std::chrono::seconds(5);

size_t OpenFiles() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

size_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(Fleet, ServesAModelUnderItsName) {
  ServedFleet served;
  served.StartAndWait();
  struct stat status {};
  ASSERT_EQ(stat((served.folder + "/run").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  const auto model = served.fleet->Models().at(0);
  EXPECT_EQ(model->name, "tiny");
  EXPECT_EQ(model->facts.pipeline, served.Path());
  EXPECT_EQ(model->facts.max_context, 512);
  EXPECT_TRUE(served.fleet->Find("tiny", "").ok());
  EXPECT_THAT(served.fleet->Find("big", "").error().message, HasSubstr("tiny is"));
  Stream one, two;
  served.Generate({1, 2, 3}, 20, one);
  served.Generate({1, 2, 3}, 20, two);
  ASSERT_TRUE(Eventually([&] { return one.Ended() && two.Ended(); }));
  EXPECT_EQ(one.Last().finish, FinishReason::kLength);
  EXPECT_EQ(one.Ids().size(), 20U);
  EXPECT_EQ(one.Ids(), two.Ids());
  EXPECT_TRUE(Eventually([&] { return served.Engine()->State().output_tokens == 40; }));
}

TEST(Fleet, APipelineThatCannotStartSaysWhy) {
  ServedFleet served("quint: {}\n");
  served.Start();
  ASSERT_TRUE(Eventually([&] { return !served.fleet->Failed().empty(); }));
  EXPECT_THAT(served.fleet->Failed(), HasSubstr("quint"));
  EXPECT_THAT(served.fleet->WhyNotReady(), HasSubstr("quint"));
}

// The workers of a fleet die at random moments, in two ways.
TEST(Fleet, AWorkerThatDiesCostsItsStreamsAndNothingElse) {
  ServedFleet served;
  served.StartAndWait();
  std::mt19937 random(5);
  constexpr size_t kTokens = 500;
  int lost = 0;
  size_t files = 0;
  size_t threads = 0;
  for (int round = 0; round < 20; ++round) {
    // Deaths are spread over more than a minute in life; here the count starts anew.
    if (round % 2 == 0) {
      served.fleet.reset();
      served.StartAndWait();
    }
    if (round == 2) {
      files = OpenFiles();
      threads = Threads();
    }
    Stream stream;
    served.Generate({7}, kTokens, stream);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
    const auto workers = ServedFleet::Workers();
    ASSERT_EQ(workers.size(), 1U);
    const auto killed = Clock::now();
    kill(workers[0], round % 4 < 2 ? SIGKILL : SIGSTOP);
    // Who was held up for too long to see it unready sees another worker.
    EXPECT_TRUE(Eventually(
        [&] { return !served.fleet->WhyNotReady().empty() || ServedFleet::Workers() != workers; },
        kBusy));
    ASSERT_TRUE(Eventually([&] { return stream.Ended(); }));
    if (stream.Ids().size() < kTokens) {
      EXPECT_EQ(stream.Last().finish, FinishReason::kError);
      EXPECT_EQ(stream.Last().status, Status::kIo);
      EXPECT_LT(stream.At() - killed, kEndWithin);
      ++lost;
    }
    ASSERT_TRUE(Eventually([&] {
      return served.fleet->WhyNotReady().empty() && ServedFleet::Workers() != workers;
    })) << served.fleet->WhyNotReady()
        << served.Log();
    EXPECT_LT(Clock::now() - killed, kServeWithin);
    Stream next;
    served.Generate({7}, 3, next);
    ASSERT_TRUE(Eventually([&] { return next.Ended(); }));
    EXPECT_EQ(next.Last().finish, FinishReason::kLength);
    EXPECT_THAT(served.Log(), HasSubstr(std::to_string(workers[0])));
  }
  EXPECT_GT(lost, 10);
  EXPECT_TRUE(Eventually([&] { return OpenFiles() <= files + 2; })) << OpenFiles() << ", " << files;
  EXPECT_TRUE(Eventually([&] { return Threads() <= threads + 2; })) << Threads() << ", " << threads;
}

TEST(Fleet, TheLogNamesThePluginThatCrashed) {
  for (const int32_t token : {kCrash, kAbort}) {
    ServedFleet served;
    served.StartAndWait();
    Stream bystander, stream;
    served.Generate({9}, 400, bystander);
    served.Generate({5, token}, 5, stream);
    ASSERT_TRUE(Eventually([&] { return stream.Ended() && bystander.Ended(); }));
    EXPECT_EQ(stream.Last().status, Status::kIo);
    EXPECT_EQ(bystander.Last().finish, FinishReason::kError);
    ASSERT_TRUE(Eventually([&] { return served.Log().find("died of ") != std::string::npos; }));
    EXPECT_THAT(served.Log(),
                HasSubstr(std::string("died of ") + (token == kCrash ? "SIGSEGV" : "SIGABRT") +
                          " in link_faulty.so (acme.faulty)"));
    EXPECT_TRUE(served.WaitReady());
  }
}

TEST(Fleet, AStepThatHangsIsNotReady) {
  ServedFleet served;
  served.StartAndWait();
  Stream stream;
  served.Generate({kHang}, 5, stream);
  ASSERT_TRUE(
      Eventually([&] { return served.fleet->WhyNotReady().find("stuck") != std::string::npos; }));
  EXPECT_FALSE(stream.Ended());
}

TEST(Fleet, AStepThatNeverEndsIsKilledAndTheLogNamesThePlugin) {
  ServedFleet served;
  served.step_limit_s = 1;
  served.StartAndWait();
  const auto workers = ServedFleet::Workers();
  Stream bystander, stream;
  served.Generate({9}, 400, bystander);
  served.Generate({kHang}, 5, stream);
  ASSERT_TRUE(Eventually([&] { return stream.Ended() && bystander.Ended(); }));
  EXPECT_EQ(stream.Last().status, Status::kIo);
  ASSERT_TRUE(Eventually([&] { return !served.Log().empty(); }));
  EXPECT_THAT(served.Log(),
              HasSubstr("worker " + std::to_string(workers[0]) + " completed no step for 1 s, in " +
                        "link_faulty.so (acme.faulty), and was killed"));
  EXPECT_TRUE(Eventually(
      [&] { return served.fleet->WhyNotReady().empty() && ServedFleet::Workers() != workers; }));
}

TEST(Fleet, ThreeDeathsQuarantineAPipeline) {
  ServedFleet served;
  served.StartAndWait();
  for (int death = 0; death < 3; ++death) {
    Stream stream;
    served.Generate({kCrash}, 5, stream);
    ASSERT_TRUE(Eventually([&] { return stream.Ended(); }));
    if (death < 2) {
      ASSERT_TRUE(Eventually([&] { return ServedFleet::Workers().size() == 1; }));
      ASSERT_TRUE(served.WaitReady());
    }
  }
  ASSERT_TRUE(Eventually(
      [&] { return served.fleet->WhyNotReady().find("quarantined") != std::string::npos; }));
  EXPECT_THAT(ServedFleet::Workers(), IsEmpty());
  Stream refused;
  served.Generate({1}, 5, refused);
  ASSERT_TRUE(Eventually([&] { return refused.Ended(); }));
  EXPECT_EQ(refused.Last().status, Status::kIo);
  EXPECT_THAT(served.Log(), HasSubstr("quarantined"));
  EXPECT_EQ(served.fleet->Failed(), "");
  // A reload lifts it.
  const auto reloaded = served.fleet->Reload("");
  EXPECT_TRUE(reloaded.ok()) << reloaded.error().message;
  EXPECT_TRUE(served.WaitReady());
}

TEST(Fleet, AQuarantinedPipelineGivesWayToTheOneBefore) {
  ServedFleet served;
  served.StartAndWait();
  served.WritePipeline(2000, "memory: {context_tokens: 100}\n");
  ASSERT_TRUE(served.fleet->Reload("").ok());
  ASSERT_EQ(served.fleet->Models().at(0)->facts.max_context, 100);
  for (int death = 0; death < 3; ++death) {
    ASSERT_TRUE(served.WaitReady());
    Stream stream;
    served.Generate({kCrash}, 5, stream);
    ASSERT_TRUE(Eventually([&] { return stream.Ended(); }));
  }
  ASSERT_TRUE(Eventually([&] { return served.fleet->Models().at(0)->facts.max_context == 512; }));
  EXPECT_TRUE(served.WaitReady());
  EXPECT_THAT(served.Log(), HasSubstr("the pipeline before it returns"));
}

TEST(Fleet, AReloadLosesNoRequest) {
  ServedFleet served;
  served.StartAndWait();
  std::vector<std::unique_ptr<Stream>> streams;
  const auto ask = [&] {
    streams.push_back(std::make_unique<Stream>());
    served.Generate({static_cast<int32_t>(streams.size() % 100)}, 100, *streams.back());
  };
  for (int i = 0; i < 8; ++i) ask();
  for (int round = 0; round < 3; ++round) {
    auto reload = std::async(std::launch::async, [&] { return served.fleet->Reload(""); });
    while (reload.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) ask();
    ASSERT_TRUE(reload.get().ok());
    for (int i = 0; i < 4; ++i) ask();
  }
  for (const auto& stream : streams) {
    ASSERT_TRUE(Eventually([&] { return stream->Ended(); }));
    EXPECT_EQ(stream->Last().finish, FinishReason::kLength) << stream->Last().error;
    EXPECT_EQ(stream->Ids().size(), 100U);
  }
  EXPECT_EQ(served.Log(), "");
  EXPECT_TRUE(Eventually([&] { return ServedFleet::Workers().size() == 1; }));
}

TEST(Fleet, AReloadThatFailsLeavesTheOld) {
  ServedFleet served;
  served.StartAndWait();
  const auto workers = ServedFleet::Workers();
  served.WritePipeline(1000, "quint: {}\n");
  const auto reloaded = served.fleet->Reload("");
  ASSERT_FALSE(reloaded.ok());
  EXPECT_THAT(reloaded.error().message, HasSubstr("quint"));
  EXPECT_EQ(ServedFleet::Workers(), workers);
  EXPECT_EQ(served.fleet->WhyNotReady(), "");
  // Another worker of the old is as the old was, whatever the file says now.
  kill(workers[0], SIGKILL);
  ASSERT_TRUE(Eventually([&] { return !served.fleet->WhyNotReady().empty(); }));
  EXPECT_TRUE(served.WaitReady());
}

TEST(Fleet, TwoWorkersShareTheLoad) {
  // Slow enough that all streams run when one worker dies.
  ServedFleet served("serve: {workers: 2}\n", 10000);
  served.StartAndWait();
  ASSERT_TRUE(Eventually([&] { return ServedFleet::Workers().size() == 2; }));
  std::vector<std::unique_ptr<Stream>> streams;
  const auto ask = [&](int32_t first) {
    streams.push_back(std::make_unique<Stream>());
    // Whole blocks, no two prompts alike.
    std::vector<int32_t> prompt(64, first);
    served.Generate(prompt, 200, *streams.back());
  };
  ASSERT_TRUE(Eventually([&] {
    return served.Engine()->State().free_blocks == 2 * served.Engine()->Facts().total_blocks;
  }));
  for (int32_t i = 0; i < 8; ++i) ask(i);
  ASSERT_TRUE(Eventually([&] { return served.Engine()->State().running == 8; }));
  const auto workers = ServedFleet::Workers();
  ASSERT_EQ(workers.size(), 2U);
  kill(workers[0], SIGKILL);
  size_t lost = 0;
  for (const auto& stream : streams) {
    ASSERT_TRUE(Eventually([&] { return stream->Ended(); }));
    lost += stream->Last().finish == FinishReason::kError ? 1 : 0;
    // One worker is enough to be ready.
    EXPECT_EQ(served.fleet->WhyNotReady(), "");
  }
  EXPECT_EQ(lost, 4U);
}

// Neither a front end that is killed nor one that crashes leaves workers behind.
TEST(Worker, EndsWithItsParent) {
  ServedFleet served;
  const std::string pids = served.folder + "/pids";
  const std::string command = "exec 2>/dev/null; " TENON_BINARY_DIR "/bin/tenon worker " +
                              served.Path() + " --socket " + served.folder +
                              "/s --parent $$ & echo $! $$ > " + pids + "; wait";
  std::thread shell([&] { EXPECT_NE(std::system(command.c_str()), 0); });
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(served.folder + "/s"); }));
  pid_t worker = 0;
  pid_t parent = 0;
  ASSERT_TRUE(Eventually([&] { return bool(std::ifstream(pids) >> worker >> parent); }));
  kill(parent, SIGKILL);
  shell.join();
  EXPECT_TRUE(Eventually([&] {
    // An orphan that nobody reaps stays as a zombie.
    std::ifstream file("/proc/" + std::to_string(worker) + "/stat");
    std::string number, name, state;
    return !(file >> number >> name >> state) || state == "Z";
  }));
}

TEST(Fleet, StoppingLetsRequestsFinish) {
  ServedFleet served;
  served.StartAndWait();
  Stream stream;
  served.Generate({1}, 100, stream);
  ASSERT_TRUE(Eventually([&] { return stream.Tokens() > 0; }));
  served.fleet->Stop(60);
  ASSERT_TRUE(stream.Ended());
  EXPECT_EQ(stream.Last().finish, FinishReason::kLength);
  EXPECT_THAT(ServedFleet::Workers(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(served.folder + "/run"));
}

}  // namespace
}  // namespace tenon::apps::testing
