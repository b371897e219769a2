// Running other programs: output, exit codes, signals, deadlines, missing programs.
#include "run/process.h"

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/text.h"

namespace nibble {
namespace {

TEST(Process, OutputExitCodeAndDirectory) {
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  auto result = run_process({"sh", "-c", "pwd; echo to error >&2; exit 3"}, dir->path(), 10);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_FALSE(result->succeeded());
  EXPECT_THAT(result->output, testing::HasSubstr(dir->path().filename().string()));
  EXPECT_THAT(result->output, testing::HasSubstr("to error\n"));
  EXPECT_EQ(result->how_it_ended(), "ended with code 3");
}

TEST(Process, NoShellLooksAtArguments) {
  auto result = run_process({"echo", "$HOME; `ls` *"}, {}, 10);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output, "$HOME; `ls` *\n");
}

TEST(Process, SignalsAndDeadlines) {
  auto killed = run_process({"sh", "-c", "kill -SEGV $$"}, {}, 10);
  ASSERT_TRUE(killed.ok());
  EXPECT_EQ(killed->signal, 11);
  EXPECT_THAT(killed->how_it_ended(), testing::HasSubstr("signal 11"));
  auto slow = run_process({"sleep", "60"}, {}, 1);
  ASSERT_TRUE(slow.ok());
  EXPECT_TRUE(slow->timed_out);
  EXPECT_LT(slow->seconds, 10);
}

TEST(Process, WhatItStartedEndsWithIt) {
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  auto slow = run_process({"sh", "-c", "sleep 60 & echo $! >child; wait"}, dir->path(), 1);
  ASSERT_TRUE(slow.ok());
  EXPECT_TRUE(slow->timed_out);
  auto child = read_text_file(dir->path() / "child");
  ASSERT_TRUE(child.ok());
  // The signal is sent; a busy machine takes a while until the child is gone. Its entry stays until
  // whoever took it over has asked for how it ended.
  std::string entry;
  auto ended = [&] {
    std::ifstream stat("/proc/" + std::string(trim(*child)) + "/stat");
    return !std::getline(stat, entry) || entry.find(") Z") != std::string::npos;
  };
  for (int tenths = 0; tenths < 200 && !ended(); ++tenths)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(ended()) << entry;
}

TEST(Process, ARelativeProgramIsFoundFromHere) {
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  std::filesystem::path shell = std::filesystem::relative("/bin/sh");
  auto result = run_process({shell.string(), "-c", "exit 4"}, dir->path(), 10);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->exit_code, 4);
}

TEST(Process, LargeOutputIsKeptAtItsEnd) {
  auto result = run_process({"sh", "-c", "seq 1 1000000"}, {}, 60);
  ASSERT_TRUE(result.ok());
  EXPECT_LT(result->output.size(), size_t{3} << 20);
  EXPECT_EQ(last_lines(result->output, 2), "999999\n1000000");
}

TEST(Process, MissingProgram) {
  EXPECT_FALSE(find_program("no-such-program-anywhere").has_value());
  EXPECT_TRUE(find_program("sh").has_value());
  auto result = run_process({"no-such-program-anywhere"}, {}, 10);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message,
              testing::HasSubstr("no-such-program-anywhere cannot be started"));
}

TEST(Process, LastLines) {
  EXPECT_EQ(last_lines("a\nb\nc\n", 1), "c");
  EXPECT_EQ(last_lines("a\nb\nc", 2), "b\nc");
  EXPECT_EQ(last_lines("a\nb", 9), "a\nb");
  EXPECT_EQ(last_lines("", 3), "");
}

}  // namespace
}  // namespace nibble
