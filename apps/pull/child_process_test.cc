// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/child_process.h"

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace tenon::apps {
namespace {

ChildProcess Shell(const std::string& script) { return {{"sh", "-c", script}, {}, {}, nullptr}; }

// A process that ended counts as gone even before its new parent has taken note.
bool IsGone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return true;
  return line.compare(line.rfind(')') + 2, 1, "Z") == 0;
}

TEST(ChildProcess, ReportsOutputAndExitCode) {
  const Result<ChildEnd> end = RunChild(Shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->exit_code, 7);
  EXPECT_EQ(end->output, "out\nerr\n");
  EXPECT_FALSE(end->cancelled);
}

TEST(ChildProcess, ReportsTheSignalThatEndedIt) {
  const Result<ChildEnd> end = RunChild(Shell("kill -9 $$"));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->exit_code, 128 + 9);
}

TEST(ChildProcess, KeepsTheEndOfALongOutput) {
  const Result<ChildEnd> end = RunChild(Shell("yes 0123456789 | head -n 200000; echo last"));
  ASSERT_TRUE(end.ok());
  EXPECT_LE(end->output.size(), 16u << 10);
  EXPECT_EQ(end->output.substr(end->output.size() - 5), "last\n");
}

TEST(ChildProcess, SetsTheEnvironmentAndEmptiesTheInput) {
  setenv("TENON_CHILD_TEST", "inherited", 1);
  ChildProcess child = Shell("echo $TENON_CHILD_TEST $HOME; cat");
  child.environment = {{"TENON_CHILD_TEST", "own"}, {"HOME", "/nowhere"}};
  const Result<ChildEnd> end = RunChild(child);
  unsetenv("TENON_CHILD_TEST");
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->output, "own /nowhere\n");
}

TEST(ChildProcess, GivesArgumentsAsTheyAre) {
  const Result<ChildEnd> end = RunChild({{"printf", "%s|", "$(id)", "a b", "*"}, {}, {}, nullptr});
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->output, "$(id)|a b|*|");
}

TEST(ChildProcess, NamesAProgramThatIsMissing) {
  const Result<ChildEnd> end = RunChild({{"tenon-no-such-program"}, {}, {}, nullptr});
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().status, Status::kNotFound);
  EXPECT_NE(end.error().message.find("tenon-no-such-program"), std::string::npos);
}

TEST(ChildProcess, CancelEndsItAndItsChildren) {
  std::atomic<bool> cancel = false;
  ChildProcess child = Shell("sleep 60 & echo $!; wait");
  child.cancel = &cancel;
  int ticks = 0;
  child.tick = [&] { cancel = ++ticks == 3; };
  const auto start = std::chrono::steady_clock::now();
  const Result<ChildEnd> end = RunChild(child);
  ASSERT_TRUE(end.ok());
  EXPECT_TRUE(end->cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));

  const pid_t grandchild = std::atoi(end->output.c_str());
  ASSERT_GT(grandchild, 0);
  bool gone = false;
  for (int i = 0; i < 100 && !gone; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    gone = IsGone(grandchild);
  }
  EXPECT_TRUE(gone);
}

TEST(ChildProcess, CancelEndsOneThatIgnoresTheFirstSignal) {
  std::atomic<bool> cancel = true;
  ChildProcess child = Shell("trap '' TERM; while :; do sleep 0.1; done");
  child.cancel = &cancel;
  const Result<ChildEnd> end = RunChild(child);
  ASSERT_TRUE(end.ok());
  EXPECT_TRUE(end->cancelled);
  EXPECT_EQ(end->exit_code, 128 + 9);
}

}  // namespace
}  // namespace tenon::apps
