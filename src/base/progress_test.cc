// What a terminal sees of a progress bar, on a pseudo-terminal; and that a pipe sees nothing.
#include "base/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace nibble {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// Runs `body` with stderr going to `fd` and returns what arrives at `reader`.
template <class Body>
std::string stderr_through(int fd, int reader, Body body) {
  int before = dup(STDERR_FILENO);
  dup2(fd, STDERR_FILENO);
  body();
  dup2(before, STDERR_FILENO);
  close(before);
  fcntl(reader, F_SETFL, O_NONBLOCK);
  std::string text(4096, '\0');
  ssize_t got = read(reader, text.data(), text.size());
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

void count_to_ten() {
  Progress progress("calibrating", 10);
  for (int i = 0; i < 10; ++i) progress.add();
}

TEST(Progress, NothingOnAPipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(stderr_through(ends[1], ends[0], count_to_ten), "");
  close(ends[0]);
  close(ends[1]);
}

TEST(Progress, BarOnATerminalUntilDisabled) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
    GTEST_SKIP() << "left out: no pseudo-terminals here";
  int line = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  ASSERT_GE(line, 0);
  setenv("TERM", "xterm", 1);
  std::string text = stderr_through(line, terminal, count_to_ten);
  EXPECT_THAT(text, HasSubstr("\rcalibrating [###..........................."));
  EXPECT_THAT(text, HasSubstr("] 1/10"));
  EXPECT_THAT(text, EndsWith("\r\x1b[K")) << "the line is wiped at the end";

  setenv("TERM", "dumb", 1);
  EXPECT_EQ(stderr_through(line, terminal, count_to_ten), "");
  setenv("TERM", "xterm", 1);
  Progress::disable();
  EXPECT_EQ(stderr_through(line, terminal, count_to_ten), "");
  close(line);
  close(terminal);
}

}  // namespace
}  // namespace nibble
